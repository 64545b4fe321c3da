/* One LSTM layer over a batch of sequences, forward and backward through time, in bfloat16 with
 * sums, cell states and activations in fp32 (Hochreiter & Schmidhuber 1997 with the forget gate
 * of Gers et al. 2000, as in PyTorch; gates in PyTorch's order i, f, g, o).
 *
 * Each step's gates are one product of [x_t, h_{t-1}] with [W_ih, W_hh]: a tile of rows is kept
 * in registers from the first multiply-add to the new cell state. Weights are packed so that
 * the four gates of 16 units stand together. A row (one sequence) depends on no other, so
 * threads share the rows out and need not wait for each other between steps.
 *
 * T steps, B rows, I inputs (a multiple of 32), H units (a multiple of 64); arrays are as in lstm_cell.h.
 */
#define PAST_CACHES /* what is kept leaves them anyhow before it is needed again */
#include "lstm_cell.h"

#define ROWS 6 /* of a tile: 6 x 4 sums leave 8 of 32 registers for what is multiplied */
#define AHEAD 8 /* pairs: the panel comes from the second cache */
#define TILE(row, end) ((end) - (row) < ROWS ? (end) - (row) : ROWS)

/* sums[r][j] += products of row r's `pairs` pairs of values with the packed panel's column j. */
INLINE void multiply(__m512 sums[ROWS][4], int rows, const bf16 *left, int64_t stride,
                     const bf16 *panel, int64_t pairs) {
    for (int64_t k = 0; k < pairs; k++) {
        __m512bh column[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            column[j] = kept(_mm512_loadu_si512(panel + (k * 4 + j) * 32));
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            _mm_prefetch((const char *)(panel + ((k + AHEAD) * 4 + j) * 32), _MM_HINT_T0);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m512bh value = pair(left + r * stride + 2 * k);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) sums[r][j] = _mm512_dpbf16_ps(sums[r][j], value, column[j]);
        }
    }
}

INLINE void forward_tile(const Forward *f, int64_t t, int64_t row, int64_t unit, int rows) {
    int64_t K = f->I + f->H, B = f->B, H = f->H;
    __m512 sums[ROWS][4];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) sums[r][j] = _mm512_loadu_ps(f->bias + j * H + unit);
    /* h is 0 before the first step. */
    multiply(sums, rows, f->xh + (t * B + row) * K, K, f->weights + unit / 16 * K * 64,
             (t ? K : f->I) / 2);
    /* Of all rows before the first one's state: nothing has to wait for another. */
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) activate(sums[r]);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) next_state(f, t, row + r, unit, sums[r]);
}

/* One function a number of rows, not inlined: each has all registers to itself. */
#define FOR_EACH_ROWS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6)
#define DEFINE(rows)                                                                               \
    static __attribute__((noinline)) void forward_##rows(const Forward *f, int64_t t, int64_t row, \
                                                         int64_t unit) {                           \
        forward_tile(f, t, row, unit, rows);                                                       \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE

typedef void (*ForwardTile)(const Forward *, int64_t, int64_t, int64_t);
static const ForwardTile forward_tiles[ROWS] = {forward_1, forward_2, forward_3,
                                                forward_4, forward_5, forward_6};

/* How many numbers dgates are. */
int64_t room_for_gates(int64_t P, int64_t H) { return P * 4 * H; }

/* What numbers of inputs must be multiples of. */
int64_t inputs_at_once(void) { return 32; } /* lstm_gradient.c's panels */

void forward(bf16 *xh, const bf16 *weights, const float *bias, bf16 *kept, float *cells,
             int64_t T, int64_t B, int64_t I, int64_t H, int parts) {
    Forward f = {xh, weights, bias, kept, cells, T, B, I, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), end = SHARE(B, part + 1, parts);
        for (int64_t t = 0; t < T; t++)
            for (int64_t unit = 0; unit < H; unit += 16)
                for (int64_t row = begin; row < end; row += ROWS)
                    forward_tiles[TILE(row, end) - 1](&f, t, row, unit);
        _mm_sfence(); /* other threads may read what went past the caches */
    }
}

/* Lines of 64 units of a row of all T x B, to be read or written. */
INLINE void call_for(const Backward *b, int64_t row, int64_t unit) {
    const bf16 *kept = b->kept + (row * b->H + unit) * KEPT, *dy = b->dy + row * b->H + unit;
    bf16 *dgates = b->dgates + row * 4 * b->H + unit;
    for (int line = 0; line < 64 * KEPT; line += 32) __builtin_prefetch(kept + line);
    for (int line = 0; line < 64; line += 32) {
        __builtin_prefetch(dy + line);
        for (int gate = 0; gate < 4; gate++) __builtin_prefetch(dgates + gate * b->H + line, 1);
    }
}

INLINE void backward_tile(const Backward *b, float *dbias, int64_t t, int64_t row, int64_t unit,
                          int rows) {
    int64_t B = b->B, H = b->H, span = 2 * H / rows;
    const bf16 *left = b->dgates + ((t + 1) * B + row) * 4 * H;
    const bf16 *panel = b->weights + unit / 64 * 4 * H * 64;
    __m512 dh[ROWS][4];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) dh[r][j] = _mm512_setzero_ps();
    /* What is needed after the product comes from far away in memory. It is called for on the way, a
     * row at a time: of more lines at once the product itself would have to wait for some. */
    for (int r = 0; r < rows; r++) {
        int64_t k = r * span;
        call_for(b, t * B + row + r, unit);
        if (t + 1 < b->T)
            multiply(dh, rows, left + 2 * k, 4 * H, panel + k * 128, r + 1 < rows ? span : 2 * H - k);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512 total[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                           _mm512_setzero_ps()};
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) gate_gradients(b, t, row + r, unit + 16 * j, dh[r][j], total);
        add_total(dbias, unit + 16 * j, H, total);
    }
}

#define DEFINE(rows)                                                                              \
    static __attribute__((noinline)) void backward_##rows(const Backward *b, float *dbias,        \
                                                          int64_t t, int64_t row, int64_t unit) { \
        backward_tile(b, dbias, t, row, unit, rows);                                              \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE

typedef void (*BackwardTile)(const Backward *, float *, int64_t, int64_t, int64_t);
static const BackwardTile backward_tiles[ROWS] = {backward_1, backward_2, backward_3,
                                                  backward_4, backward_5, backward_6};

/* dbias: float (parts, 4, H), zero at first, to be added up. */
void backward(const bf16 *kept, const bf16 *dy, const bf16 *weights, bf16 *dgates, float *dcells,
              float *dbias, int64_t T, int64_t B, int64_t H, int parts) {
    Backward b = {kept, dy, weights, dgates, dcells, T, B, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), end = SHARE(B, part + 1, parts);
        float *sums = dbias + part * 4 * H;
        for (int64_t t = b.T - 1; t >= 0; t--)
            for (int64_t unit = 0; unit < H; unit += 64)
                for (int64_t row = begin; row < end; row += ROWS)
                    backward_tiles[TILE(row, end) - 1](&b, sums, t, row, unit);
    }
}
