/* The gradient of an LSTM layer with respect to its weights: one product over all steps and rows,
 *     dw[n, k] = sum over rows p of dgates[p, n] xh[p, k],
 * in bfloat16 with sums in fp32. A strip of gates is taken at a time, so that its sums stay in the
 * second cache with what is added to them.
 *
 * P rows (steps times sequences), I inputs (a multiple of 32), H units (a multiple of 64), K = I + H.
 *   dgates  bf16 (P, 4 H);  xh  bf16 (P, K)
 *   input   float (4 H, I);  hidden  float (4 H, H)
 */
#include <string.h>

#define STRIP 512 /* gates */
#define SPAN 256  /* rows that a product runs over */

#include "../bfloat16/lstm_gradient.h"
#include "tiles.h"

typedef struct {
    float *input, *hidden;
    int64_t I, H;
} Sums;

/* Of `width` gates from n on, of `rows` rows, a multiple of 32. */
static void add(const Sums *s, const Room *room, int64_t n, int64_t width, const bf16 *dgates,
                int64_t stride, const bf16 *xh, int64_t rows) {
    int64_t K = s->I + s->H, apart = odd_lines(rows);
    turn_about(dgates, rows, width, stride, room->turned, apart);
    pair_up(xh, rows, K, room->pairs);
    for (int64_t k = 0; k < K; k += 32)
        for (int64_t i = 0; i < width; i += 32) {
            int64_t columns = k < s->I ? s->I : s->H;
            float *sum = (k < s->I ? s->input + k : s->hidden + k - s->I) + (n + i) * columns;
            const bf16 *left = room->turned + i * apart;
            load_sums(sum, sum + 16 * columns, columns);
            multiply(left, left + 16 * apart, apart, room->pairs + k * rows, 64, rows / LEFT);
            store_sums(sum, sum + 16 * columns, columns);
        }
}

/* Bytes for a thread of `weight_gradients`. */
int64_t room_needed(int64_t I, int64_t H) {
    return 2 * (STRIP * odd_lines(SPAN) + SPAN * (I + H) + 32 * (STRIP + I + H));
}

/* room: parts times `size` bytes, of which each is room_needed. */
void weight_gradients(const bf16 *dgates, const bf16 *xh, char *room, int64_t size, float *input,
                      float *hidden, int64_t P, int64_t I, int64_t H, int parts) {
    int64_t K = I + H, N = 4 * H, whole = P / 32 * 32;
    Sums s = {input, hidden, I, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        Room own = laid_out(room + part * size, K);
        int64_t end = SHARE(N / 32, part + 1, parts) * 32;
        take_tiles(ROWS);
        for (int64_t n = SHARE(N / 32, part, parts) * 32; n < end; n += STRIP) {
            int64_t width = end - n < STRIP ? end - n : STRIP;
            memset(input + n * I, 0, width * I * sizeof(float));
            memset(hidden + n * H, 0, width * H * sizeof(float));
            for (int64_t p = 0; p < whole; p += SPAN)
                add(&s, &own, n, width, dgates + p * N + n, N, xh + p * K,
                    whole - p < SPAN ? whole - p : SPAN);
            if (whole == P) continue;
            bf16 *gates = own.rest, *inputs = own.rest + 32 * STRIP;
            memset(gates, 0, 32 * (STRIP + K) * sizeof(bf16));
            for (int64_t p = whole; p < P; p++)
                memcpy(gates + (p - whole) * STRIP, dgates + p * N + n, width * sizeof(bf16));
            memcpy(inputs, xh + whole * K, (P - whole) * K * sizeof(bf16));
            add(&s, &own, n, width, gates, STRIP, inputs, 32);
        }
        _tile_release();
    }
}
