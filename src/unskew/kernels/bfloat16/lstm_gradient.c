/* The gradient of an LSTM layer with respect to its weights: one product over all steps and rows,
 *     dw[n, k] = sum over rows p of dgates[p, n] xh[p, k],
 * in bfloat16 with sums in fp32. Of xh pairs of neighbouring rows stand side by side, in panels of 32
 * columns. A strip of gates at a time is turned about and multiplied with two panels after the other,
 * which both stay in the second cache meanwhile.
 *
 * P rows (steps times sequences), I inputs (a multiple of 32), H units (a multiple of 64), K = I + H.
 *   dgates  bf16 (P, 4 H);  xh  bf16 (P, K)
 *   input   float (4 H, I);  hidden  float (4 H, H)
 */
#include <string.h>

#define ROWS 6    /* of a tile: 6 x 4 sums leave 8 of 32 registers for what is multiplied */
#define STRIP 96  /* gates, a multiple of ROWS and of 32 */
#define SPAN 3200 /* rows that a product runs over at most: sums are written once for most batches */
#define AHEAD 8   /* pairs: panels come from the second cache */

#include "lstm_gradient.h"

/* A matrix of sums of `columns` columns; `added` where there is something in it that counts. */
typedef struct {
    float *sums;
    int64_t columns;
    int added;
} Result;

/* sums (count, 32 panels), from row to row `columns` apart, of `rows` products each. Where fewer than
 * ROWS count, the others are of numbers that mean nothing, and are not stored. */
INLINE void multiply(const Result *to, float *sums, int64_t count, int panels, const bf16 *left,
                     int64_t apart, const bf16 *right, int64_t rows) {
    __m512 total[ROWS][4];
#pragma GCC unroll 6
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int j = 0; j < 2 * panels; j++)
            total[r][j] = to->added && r < count
                              ? _mm512_loadu_ps(sums + r * to->columns + 16 * j)
                              : _mm512_setzero_ps();
    for (int64_t row = 0; row < rows; row += 2) {
        __m512bh column[4];
#pragma GCC unroll 4
        for (int j = 0; j < 2 * panels; j++) {
            const bf16 *from = right + (j / 2 * rows + row + j % 2) * 32;
            column[j] = kept(_mm512_loadu_si512(from));
            _mm_prefetch((const char *)(from + AHEAD * 64), _MM_HINT_T0);
        }
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            __m512bh value = pair(left + r * apart + row);
#pragma GCC unroll 4
            for (int j = 0; j < 2 * panels; j++)
                total[r][j] = _mm512_dpbf16_ps(total[r][j], value, column[j]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int j = 0; j < 2 * panels; j++)
            if (r < count) _mm512_storeu_ps(sums + r * to->columns + 16 * j, total[r][j]);
}

/* One function a number of panels, not inlined: each has all registers to itself. */
#define DEFINE(panels)                                                                                 static __attribute__((noinline)) void multiply_##panels(                                               const Result *to, float *sums, int64_t count, const bf16 *left, int64_t apart,                     const bf16 *right, int64_t rows) {                                                                 multiply(to, sums, count, panels, left, apart, right, rows);                                   }
DEFINE(1)
DEFINE(2)
#undef DEFINE

/* The sums of `width` gates from n on, of a strip as it was turned about. */
static void multiply_strip(const Result *to, int64_t n, int64_t width, const bf16 *turned,
                           const bf16 *pairs, int64_t rows) {
    int64_t apart = odd_lines(rows);
    for (int64_t k = 0; k < to->columns; k += 64)
        for (int64_t i = 0; i < width; i += ROWS)
            (to->columns - k < 64 ? multiply_1 : multiply_2)(
                to, to->sums + (n + i) * to->columns + k, width - i, turned + i * apart, apart,
                pairs + k * rows, rows);
}

/* Of the gates from n to end, of `rows` rows, a multiple of 32. */
static void add(Result input, Result hidden, const Room *room, int64_t n, int64_t end,
                const bf16 *dgates, const bf16 *xh, int64_t rows) {
    pair_up(xh, rows, input.columns + hidden.columns, room->pairs);
    for (; n < end; n += STRIP) {
        int64_t width = end - n < STRIP ? end - n : STRIP;
        turn_about(dgates + n, rows, width, 4 * hidden.columns, room->turned, odd_lines(rows));
        multiply_strip(&input, n, width, room->turned, room->pairs, rows);
        multiply_strip(&hidden, n, width, room->turned, room->pairs + input.columns * rows, rows);
    }
}

/* Bytes for a thread of `weight_gradients`. */
int64_t room_needed(int64_t I, int64_t H) {
    return 2 * (STRIP * odd_lines(SPAN) + SPAN * (I + H) + 32 * (4 * H + I + H));
}

/* room: parts times `size` bytes, of which each is room_needed. */
void weight_gradients(const bf16 *dgates, const bf16 *xh, char *room, int64_t size, float *input,
                      float *hidden, int64_t P, int64_t I, int64_t H, int parts) {
    int64_t K = I + H, N = 4 * H, whole = P / 32 * 32;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        Room own = laid_out(room + part * size, K);
        int64_t begin = SHARE(N / 32, part, parts) * 32, end = SHARE(N / 32, part + 1, parts) * 32;
        for (int64_t p = 0; p < whole; p += SPAN)
            add((Result){input, I, p > 0}, (Result){hidden, H, p > 0}, &own, begin, end,
                dgates + p * N, xh + p * K, whole - p < SPAN ? whole - p : SPAN);
        if (P && whole == P) continue; /* of no rows at all the sums are zeros */
        bf16 *gates = own.rest, *inputs = own.rest + 32 * N;
        memset(gates, 0, 32 * (N + K) * sizeof(bf16));
        memcpy(gates, dgates + whole * N, (P - whole) * N * sizeof(bf16));
        memcpy(inputs, xh + whole * K, (P - whole) * K * sizeof(bf16));
        add((Result){input, I, whole > 0}, (Result){hidden, H, whole > 0}, &own, begin, end, gates,
            inputs, 32);
    }
}
