/* One LSTM layer over a batch of sequences, forward and backward through time, in bfloat16 with
 * sums, cell states and activations in fp32 (Hochreiter & Schmidhuber 1997 with the forget gate
 * of Gers et al. 2000, as in PyTorch; gates in PyTorch's order i, f, g, o).
 *
 * Each step's gates are one product of [x_t, h_{t-1}] with [W_ih, W_hh]: a tile of rows is kept
 * in registers from the first multiply-add to the new cell state. Weights are packed so that
 * the four gates of 16 units stand together. A row (one sequence) depends on no other, so
 * threads share the rows out and need not wait for each other between steps.
 *
 * T steps, B rows, I inputs (even), H units (a multiple of 64), K = I + H.
 *   xh     bf16 (T + 1, B, K): x_t beside h_{t-1}; the forward writes the h's
 *   gates  bf16 (T, B, 4, H), activated;  cells float (T, B, H)
 *   dgates bf16 (T, B, 4, H), gradients before activation
 */
#include "exponential.h"

#define ROWS 6 /* of a tile: 6 x 4 sums leave 8 of 32 registers for what is multiplied */
#define AHEAD 8 /* pairs: the panel comes from the second cache */
#define TILE(row, end) ((end) - (row) < ROWS ? (end) - (row) : ROWS)

/* 1 / (1 + exp(-x)), to 6e-5 of it: a thirtieth of the rounding to bfloat16 that follows. */
INLINE __m512 logistic(__m512 x) {
    __m512 y = power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)));
    return _mm512_rcp14_ps(_mm512_add_ps(y, _mm512_set1_ps(1.0f)));
}
/* tanh x = 2 / (1 + exp(-2 x)) - 1, where near 0 every bit of the quotient counts. */
INLINE __m512 hyperbolic(__m512 x) {
    __m512 y = power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(-2.88539008f)));
    __m512 below = _mm512_add_ps(y, _mm512_set1_ps(1.0f));
    __m512 guess = _mm512_rcp14_ps(below); /* one step of Newton's from 14 bits to fp32 */
    __m512 quotient = _mm512_mul_ps(guess, _mm512_fnmadd_ps(below, guess, _mm512_set1_ps(2.0f)));
    return _mm512_fmsub_ps(_mm512_set1_ps(2.0f), quotient, _mm512_set1_ps(1.0f));
}

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

typedef struct {
    bf16 *xh;
    const bf16 *weights;
    const float *bias;
    bf16 *gates; /* NULL in prediction, where `cells` holds one step only */
    float *cells;
    int64_t T, B, I, H;
} Forward;

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
    const float *before = f->cells + (f->gates ? (t - 1) * B * H : 0);
    float *now = f->cells + (f->gates ? t * B * H : 0);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        int64_t at = (row + r) * H + unit;
        __m512 i = logistic(sums[r][0]), forget = logistic(sums[r][1]);
        __m512 g = hyperbolic(sums[r][2]), o = logistic(sums[r][3]);
        __m512 cell = _mm512_mul_ps(i, g);
        if (t) cell = _mm512_fmadd_ps(forget, _mm512_loadu_ps(before + at), cell);
        _mm512_storeu_ps(now + at, cell);
        store(f->xh + ((t + 1) * B + row + r) * K + f->I + unit,
              _mm512_mul_ps(o, hyperbolic(cell)));
        if (!f->gates) continue;
        bf16 *kept = f->gates + ((t * B + row + r) * 4) * H + unit;
        store(kept, i);
        store(kept + H, forget);
        store(kept + 2 * H, g);
        store(kept + 3 * H, o);
    }
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

void forward(bf16 *xh, const bf16 *weights, const float *bias, bf16 *gates, float *cells,
             int64_t T, int64_t B, int64_t I, int64_t H, int parts) {
    Forward f = {xh, weights, bias, gates, cells, T, B, I, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), end = SHARE(B, part + 1, parts);
        for (int64_t t = 0; t < T; t++)
            for (int64_t unit = 0; unit < H; unit += 16)
                for (int64_t row = begin; row < end; row += ROWS)
                    forward_tiles[TILE(row, end) - 1](&f, t, row, unit);
    }
}

typedef struct {
    const bf16 *gates;
    const float *cells;
    const bf16 *dy; /* (T, B, H), gradients of the outputs */
    const bf16 *weights;
    bf16 *dgates;
    float *dcells; /* (B, H), of the step at hand */
    int64_t T, B, H;
} Backward;

INLINE void backward_tile(const Backward *b, float *dbias, int64_t t, int64_t row, int64_t unit,
                          int rows) {
    int64_t B = b->B, H = b->H;
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 dh[ROWS][4];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) dh[r][j] = load(b->dy + (t * B + row + r) * H + unit + 16 * j);
    int last = t + 1 == b->T;
    /* What is needed after the product comes from far apart in memory: call for it now. */
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        int64_t at = (t * B + row + r) * H + unit;
        for (int line = 0; line < 64; line += 32)
            for (int gate = 0; gate < 4; gate++)
                _mm_prefetch((const char *)(b->gates + at * 4 - unit * 3 + gate * H + line),
                             _MM_HINT_T0);
        for (int line = 0; line < 64; line += 16) {
            _mm_prefetch((const char *)(b->cells + at + line), _MM_HINT_T0);
            if (t) _mm_prefetch((const char *)(b->cells + at - B * H + line), _MM_HINT_T0);
        }
    }
    if (!last)
        multiply(dh, rows, b->dgates + ((t + 1) * B + row) * 4 * H, 4 * H,
                 b->weights + unit / 64 * 4 * H * 64, 2 * H);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        int64_t column = unit + 16 * j;
        __m512 total[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                           _mm512_setzero_ps()};
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            int64_t at = (row + r) * H + column;
            const bf16 *kept = b->gates + ((t * B + row + r) * 4) * H + column;
            __m512 i = load(kept), f = load(kept + H), g = load(kept + 2 * H);
            __m512 o = load(kept + 3 * H);
            __m512 squashed = hyperbolic(_mm512_loadu_ps(b->cells + t * B * H + at));
            __m512 dcell = _mm512_mul_ps(_mm512_mul_ps(dh[r][j], o),
                                         _mm512_fnmadd_ps(squashed, squashed, one));
            if (!last) dcell = _mm512_add_ps(dcell, _mm512_loadu_ps(b->dcells + at));
            __m512 before =
                t ? _mm512_loadu_ps(b->cells + (t - 1) * B * H + at) : _mm512_setzero_ps();
            _mm512_storeu_ps(b->dcells + at, _mm512_mul_ps(dcell, f));
            /* The logistic's slope is s (1 - s), that of tanh 1 - g^2. */
            __m512 d[4] = {
                _mm512_mul_ps(_mm512_mul_ps(dcell, g), _mm512_fnmadd_ps(i, i, i)),
                _mm512_mul_ps(_mm512_mul_ps(dcell, before), _mm512_fnmadd_ps(f, f, f)),
                _mm512_mul_ps(_mm512_mul_ps(dcell, i), _mm512_fnmadd_ps(g, g, one)),
                _mm512_mul_ps(_mm512_mul_ps(dh[r][j], squashed), _mm512_fnmadd_ps(o, o, o)),
            };
            bf16 *out = b->dgates + ((t * B + row + r) * 4) * H + column;
#pragma GCC unroll 4
            for (int gate = 0; gate < 4; gate++) {
                store(out + gate * H, d[gate]);
                total[gate] = _mm512_add_ps(total[gate], d[gate]);
            }
        }
#pragma GCC unroll 4
        for (int gate = 0; gate < 4; gate++) {
            float *sum = dbias + gate * H + column;
            _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), total[gate]));
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

typedef void (*BackwardTile)(const Backward *, float *, int64_t, int64_t, int64_t);
static const BackwardTile backward_tiles[ROWS] = {backward_1, backward_2, backward_3,
                                                  backward_4, backward_5, backward_6};

/* dbias: float (parts, 4, H), zero at first, to be added up. */
void backward(const bf16 *gates, const float *cells, const bf16 *dy, const bf16 *weights,
              bf16 *dgates, float *dcells, float *dbias, int64_t T, int64_t B, int64_t H,
              int parts) {
    Backward b = {gates, cells, dy, weights, dgates, dcells, T, B, H};
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

/* Pairs of neighbouring inputs, unit by unit: packed (H / 16, K / 2, 4, 16, 2) from the weights
 * W_ih (4 H, I) and W_hh (4 H, H). */
void pack_forward(const bf16 *input, const bf16 *hidden, bf16 *packed, int64_t I, int64_t H) {
    int64_t K = I + H;
    for (int64_t panel = 0; panel < H / 16; panel++)
        for (int64_t k = 0; k < K / 2; k++)
            for (int64_t gate = 0; gate < 4; gate++) {
                int64_t unit = gate * H + panel * 16;
                int own = 2 * k < I;
                const bf16 *from = own ? input + unit * I + 2 * k : hidden + unit * H + 2 * k - I;
                int step = (int)(own ? I : H) * 2; /* bytes from unit to unit */
                __m512i lanes = _mm512_mullo_epi32(
                    _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                    _mm512_set1_epi32(step));
                _mm512_storeu_si512(packed + ((panel * (K / 2) + k) * 4 + gate) * 32,
                                    _mm512_i32gather_epi32(lanes, from, 1));
            }
}

/* Pairs of neighbouring gates: packed (H / 64, 4 H / 2, 4, 16, 2) from W_hh (4 H, H). */
void pack_backward(const bf16 *hidden, bf16 *packed, int64_t H) {
    for (int64_t panel = 0; panel < H / 64; panel++)
        for (int64_t k = 0; k < 2 * H; k++)
            for (int64_t j = 0; j < 4; j++) {
                const bf16 *even = hidden + 2 * k * H + panel * 64 + j * 16, *odd = even + H;
                __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)even));
                __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)odd));
                _mm512_storeu_si512(packed + ((panel * 2 * H + k) * 4 + j) * 32,
                                    _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
            }
}
