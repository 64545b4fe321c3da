/* One LSTM layer over a batch of sequences, forward and backward through time, in float32
 * (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in PyTorch; gates in
 * PyTorch's order i, f, g, o).
 *
 * Each step's gates are one product of [x_t, h_{t-1}] with [W_ih, W_hh]. Weights are packed so that
 * the four gates of LANES units stand together: two panels, of i and f and of g and o. A tile of
 * rows is multiplied with both and goes on to the new cell state. A row (one sequence) depends on no
 * other, so threads share the rows out and need not wait for each other between steps.
 *
 * T steps, B rows, I inputs (a multiple of inputs_at_once()), H units (of PANEL), K = I + H.
 *   xh     float (T + 1, B, K): x_t beside h_{t-1}; the forward writes the h's
 *   cells  float (B, H), of the step at hand
 *   kept   float (T, B, H / LANES, 6, LANES), by what the backward multiplies; it begins at a
 *          multiple of 64 bytes, as PyTorch's memory does, and is written past the caches
 *   dgates float (4 H / PANEL, T * B, PANEL), gradients before activation, see gates.h
 */
#include "exponential.h"
#include "gates.h"
#include "past_caches.h"

#define TILE(row, end) ((end) - (row) < ROWS ? (end) - (row) : ROWS)

INLINE V logistic(V x) { return 1.0f / (1.0f + power_of_two(-1.44269504f * x)); }
/* tanh x = 2 / (1 + exp(-2 x)) - 1. Near 0, where that cancels, the first terms of its series. */
INLINE V hyperbolic(V x) {
    V far = 2.0f / (1.0f + power_of_two(-2.88539008f * x)) - 1.0f, square = x * x;
    V near = x + x * square * (-0.33333333f + square * (0.13333333f - square * 0.053968254f));
    return where(square < splat(0.01f), near, far);
}

typedef struct {
    float *xh;
    const float *weights, *bias;
    float *kept; /* NULL in prediction */
    float *cells;
    int64_t T, B, I, H;
    int64_t lines; /* of a panel for each 16 of the depth, of which all tiles together make it whole */
} Forward;

#define KEPT 6 /* numbers of a unit and step */

/* `accumulate` while `lines` of what is needed next of the weights, from `ahead` on, are asked to come
 * nearer for each 16 of the depth, a multiple of that: the second cache holds a part of all weights. */
INLINE void accumulate_and_ask(V sums[ROWS][2], const float *left, int64_t stride, const float *panel,
                               int64_t depth, int rows, const float *ahead, int64_t lines) {
    for (int64_t k = 0; k < depth; k += 16) {
        for (int64_t line = 0; line < lines; line++, ahead += 16) __builtin_prefetch(ahead, 0, 2);
        accumulate(sums, left + k, stride, 1, panel + k * PANEL, 16, rows);
    }
}

/* The tile is number `nth` of those that are multiplied with the same panels. */
INLINE void forward_tile(const Forward *f, int64_t t, int64_t row, int64_t unit, int64_t nth,
                         int rows) {
    int64_t K = f->I + f->H, B = f->B, H = f->H;
    float gates[4][ROWS][LANES];
    for (int half = 0; half < 2; half++) {
        V sums[ROWS][2];
        V low = load(f->bias + 2 * half * H + unit), high = load(f->bias + (2 * half + 1) * H + unit);
        EACH_ROWS for (int r = 0; r < rows; r++) {
            sums[r][0] = low;
            sums[r][1] = high;
        }
        /* h is 0 before the first step. */
        const float *panel = f->weights + (unit * 4 + half * PANEL) * K;
        accumulate_and_ask(sums, f->xh + (t * B + row) * K, K, panel, t ? K : f->I, rows,
                           panel + 2 * PANEL * K + nth * f->lines * K, f->lines);
        EACH_ROWS for (int r = 0; r < rows; r++) {
            store(gates[2 * half][r], sums[r][0]);
            store(gates[2 * half + 1][r], sums[r][1]);
        }
    }
    for (int r = 0; r < rows; r++) {
        float *state = f->cells + (row + r) * H + unit;
        V before = t ? load(state) : (V){0};
        V i = logistic(load(gates[0][r])), forget = logistic(load(gates[1][r]));
        V g = hyperbolic(load(gates[2][r])), o = logistic(load(gates[3][r]));
        V cell = i * g + forget * before, squashed = hyperbolic(cell);
        store(state, cell);
        store(f->xh + ((t + 1) * B + row + r) * K + f->I + unit, o * squashed);
        if (!f->kept) continue;
        /* The logistic's slope is s (1 - s), that of tanh 1 - g^2. */
        V kept[KEPT] = {g * (i - i * i),
                        before * (forget - forget * forget),
                        i * (1.0f - g * g),
                        squashed * (o - o * o),
                        o * (1.0f - squashed * squashed),
                        forget};
        float *to = f->kept + ((t * B + row + r) * H + unit) * KEPT;
        for (int number = 0; number < KEPT; number++)
            store_past_caches(to + number * LANES, kept[number]);
    }
}

#define DEFINE(rows)                                                                               \
    static __attribute__((noinline)) void forward_##rows(const Forward *f, int64_t t, int64_t row, \
                                                         int64_t unit, int64_t nth) {              \
        forward_tile(f, t, row, unit, nth, rows);                                                  \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) forward_##rows,
typedef void (*ForwardTile)(const Forward *, int64_t, int64_t, int64_t, int64_t);
static const ForwardTile forward_tiles[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* How many numbers dgates are. */
int64_t room_for_gates(int64_t P, int64_t H) { return 4 * H / PANEL * blocks_apart(P); }

/* What numbers of inputs must be multiples of. */
int64_t inputs_at_once(void) { return PANEL < 16 ? 16 : PANEL; }

void forward(float *xh, const float *weights, const float *bias, float *kept, float *cells,
             int64_t T, int64_t B, int64_t I, int64_t H, int parts) {
    int64_t tiles = B / parts / ROWS + 1;
    Forward f = {xh, weights, bias, kept, cells, T, B, I, H, PANEL / tiles + 1};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), end = SHARE(B, part + 1, parts);
        for (int64_t t = 0; t < T; t++)
            for (int64_t unit = 0; unit < H; unit += LANES)
                for (int64_t row = begin; row < end; row += ROWS)
                    forward_tiles[TILE(row, end) - 1](&f, t, row, unit, (row - begin) / ROWS);
        finish_stores();
    }
}

typedef struct {
    const float *kept;
    const float *dy; /* (T, B, H), gradients of the outputs */
    const float *weights;
    float *dgates;
    float *dcells; /* (B, H), of the step at hand */
    int64_t T, B, H;
    int64_t apart; /* of blocks of dgates */
} Backward;

/* Lines of PANEL units of a row of all T x B, to be read or written. */
INLINE void call_for(const Backward *b, int64_t row, int64_t unit) {
    const float *kept = b->kept + (row * b->H + unit) * KEPT, *dy = b->dy + row * b->H + unit;
    float *dgates = b->dgates + unit / PANEL * b->apart + row * PANEL;
    for (int line = 0; line < PANEL * KEPT; line += 16) __builtin_prefetch(kept + line);
    for (int line = 0; line < PANEL; line += 16) {
        __builtin_prefetch(dy + line);
        for (int gate = 0; gate < 4; gate++)
            __builtin_prefetch(dgates + gate * b->H / PANEL * b->apart + line, 1);
    }
}

INLINE void backward_tile(const Backward *b, float *dbias, int64_t t, int64_t row, int64_t unit,
                          int rows) {
    int64_t B = b->B, H = b->H;
    int last = t + 1 == b->T;
    const float *left = b->dgates + ((t + 1) * B + row) * PANEL, *panel = b->weights + unit * 4 * H;
    V dh[ROWS][2];
    EACH_ROWS for (int r = 0; r < rows; r++) dh[r][0] = dh[r][1] = (V){0};
    /* What is needed after the product comes from far away in memory. It is called for on the way, a
     * row at a time: of more lines at once the product itself would have to wait for some. */
    for (int r = 0; r < rows; r++) {
        call_for(b, t * B + row + r, unit);
        if (!last)
            accumulate_gates(dh, left, b->apart, panel, SHARE(4 * H / PANEL, r, rows),
                             SHARE(4 * H / PANEL, r + 1, rows), rows);
    }
    float slopes[ROWS][PANEL];
    EACH_ROWS for (int r = 0; r < rows; r++) {
        store(slopes[r], dh[r][0]);
        store(slopes[r] + LANES, dh[r][1]);
    }
    for (int64_t column = 0; column < PANEL; column += LANES) {
        V total[4] = {{0}};
        for (int r = 0; r < rows; r++) {
            int64_t at = (t * B + row + r) * H + unit + column;
            const float *kept = b->kept + at * KEPT;
            float *dcells = b->dcells + (row + r) * H + unit + column;
            V slope = load(slopes[r] + column) + load(b->dy + at);
            V dcell = slope * load(kept + 4 * LANES);
            if (!last) dcell += load(dcells);
            store(dcells, dcell * load(kept + 5 * LANES));
            V d[4] = {dcell * load(kept), dcell * load(kept + LANES), dcell * load(kept + 2 * LANES),
                      slope * load(kept + 3 * LANES)};
            float *out = b->dgates + unit / PANEL * b->apart + (t * B + row + r) * PANEL + column;
            for (int gate = 0; gate < 4; gate++) {
                store(out + gate * H / PANEL * b->apart, d[gate]);
                total[gate] += d[gate];
            }
        }
        for (int gate = 0; gate < 4; gate++) {
            float *sum = dbias + gate * H + unit + column;
            store(sum, load(sum) + total[gate]);
        }
    }
}

#define DEFINE(rows)                                                                              \
    static __attribute__((noinline)) void backward_##rows(const Backward *b, float *dbias,        \
                                                          int64_t t, int64_t row, int64_t unit) { \
        backward_tile(b, dbias, t, row, unit, rows);                                              \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) backward_##rows,
typedef void (*BackwardTile)(const Backward *, float *, int64_t, int64_t, int64_t);
static const BackwardTile backward_tiles[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* dbias: float (parts, 4, H), zero at first, to be added up. */
void backward(const float *kept, const float *dy, const float *weights, float *dgates, float *dcells,
              float *dbias, int64_t T, int64_t B, int64_t H, int parts) {
    Backward b = {kept, dy, weights, dgates, dcells, T, B, H, blocks_apart(T * B)};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), end = SHARE(B, part + 1, parts);
        float *sums = dbias + part * 4 * H;
        for (int64_t t = b.T - 1; t >= 0; t--)
            for (int64_t unit = 0; unit < H; unit += PANEL)
                for (int64_t row = begin; row < end; row += ROWS)
                    backward_tiles[TILE(row, end) - 1](&b, sums, t, row, unit);
    }
}

/* packed (H / LANES, 2, K, 2, LANES) from the weights W_ih (4 H, I) and W_hh (4 H, H). */
void pack_forward(const float *input, const float *hidden, float *packed, int64_t I, int64_t H) {
    int64_t K = I + H;
    for (int64_t unit = 0; unit < H; unit++)
        for (int64_t gate = 0; gate < 4; gate++) {
            int64_t row = gate * H + unit;
            float *to = packed + (unit / LANES * 4 * LANES + gate / 2 * PANEL) * K +
                        gate % 2 * LANES + unit % LANES;
            for (int64_t k = 0; k < I; k++) to[k * PANEL] = input[row * I + k];
            for (int64_t k = 0; k < H; k++) to[(I + k) * PANEL] = hidden[row * H + k];
        }
}

/* packed (H / PANEL, 4 H, PANEL) from W_hh (4 H, H). */
void pack_backward(const float *hidden, float *packed, int64_t H) {
    pack_panels(hidden, packed, H, H);
}
