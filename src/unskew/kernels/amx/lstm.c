/* One LSTM layer over a batch of sequences, forward and backward through time, in bfloat16 with
 * sums, cell states and activations in fp32 (Hochreiter & Schmidhuber 1997 with the forget gate
 * of Gers et al. 2000, as in PyTorch; gates in PyTorch's order i, f, g, o).
 *
 * Each step's gates are one product of [x_t, h_{t-1}] with [W_ih, W_hh]. A row (one sequence) depends
 * on no other: two tiles of rows go through all steps before the next two, so that what they need
 * stays in the first cache, and weights come from the second.
 *
 * T steps, B rows, I inputs (a multiple of 32), H units (a multiple of 64); arrays are as in
 * ../bfloat16/lstm_cell.h.
 */
#include "../bfloat16/lstm_cell.h"
#include "tiles.h"

#define FOUR 128 /* numbers from row to row of packed weights: pairs for four times 16 columns */

/* Step t of `count` rows, whose two tiles overlap where they are fewer than twice `height`. */
INLINE void forward_step(const Forward *f, int64_t t, int64_t row, int64_t count, int64_t height) {
    int64_t K = f->I + f->H, H = f->H, second = count - height;
    const bf16 *left = f->xh + (t * f->B + row) * K;
    float sums[2][PAIR][32] __attribute__((aligned(64)));
    for (int64_t unit = 0; unit < H; unit += 16) {
        for (int half = 0; half < 2; half++) { /* gates i and f, g and o */
            zero_sums();
            /* h is 0 before the first step. */
            multiply(left, left + second * K, K, f->weights + unit * 4 * K + half * 64, FOUR,
                     (t ? K : f->I) / LEFT);
            store_sums(sums[half][0], sums[half][second], 32);
        }
        __m512 bias[4];
#pragma GCC unroll 4
        for (int gate = 0; gate < 4; gate++) bias[gate] = _mm512_loadu_ps(f->bias + gate * H + unit);
        for (int64_t r = 0; r < count; r++) {
            __m512 gates[4];
#pragma GCC unroll 4
            for (int gate = 0; gate < 4; gate++)
                gates[gate] = _mm512_add_ps(
                    bias[gate], _mm512_load_ps(sums[gate / 2][r] + gate % 2 * 16));
            activate(gates);
            next_state(f, t, row + r, unit, gates);
        }
    }
}

/* How many numbers dgates are. */
int64_t room_for_gates(int64_t P, int64_t H) { return P * 4 * H; }

/* What numbers of inputs must be multiples of. */
int64_t inputs_at_once(void) { return LEFT; }

void forward(bf16 *xh, const bf16 *weights, const float *bias, bf16 *kept, float *cells,
             int64_t T, int64_t B, int64_t I, int64_t H, int parts) {
    Forward f = {xh, weights, bias, kept, cells, T, B, I, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), rows = SHARE(B, part + 1, parts) - begin;
        if (!rows) continue;
        Division each = divided(rows);
        take_tiles(each.height);
        for (int64_t pair = 0; pair < each.parts; pair++) {
            int64_t row = SHARE(rows, pair, each.parts);
            for (int64_t t = 0; t < T; t++)
                forward_step(&f, t, begin + row, SHARE(rows, pair + 1, each.parts) - row,
                             each.height);
        }
        _tile_release();
    }
}

INLINE void backward_step(const Backward *b, float *dbias, int64_t t, int64_t row, int64_t count,
                          int64_t height) {
    int64_t B = b->B, H = b->H, second = count - height;
    const bf16 *left = b->dgates + ((t + 1) * B + row) * 4 * H;
    float sums[PAIR][32] __attribute__((aligned(64)));
    for (int64_t unit = 0; unit < H; unit += 32) {
        if (t + 1 < b->T) {
            zero_sums();
            multiply(left, left + second * 4 * H, 4 * H,
                     b->weights + unit / 64 * 256 * H + unit % 64 * 2, FOUR, 4 * H / LEFT);
            store_sums(sums[0], sums[second], 32);
        }
        for (int64_t half = 0; half < 32; half += 16) {
            __m512 total[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                               _mm512_setzero_ps()};
            for (int64_t r = 0; r < count; r++) {
                __m512 dh = t + 1 < b->T ? _mm512_load_ps(sums[r] + half) : _mm512_setzero_ps();
                gate_gradients(b, t, row + r, unit + half, dh, total);
            }
            add_total(dbias, unit + half, H, total);
        }
    }
}

/* dbias: float (parts, 4, H), zero at first, to be added up. */
void backward(const bf16 *kept, const bf16 *dy, const bf16 *weights, bf16 *dgates, float *dcells,
              float *dbias, int64_t T, int64_t B, int64_t H, int parts) {
    Backward b = {kept, dy, weights, dgates, dcells, T, B, H};
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(B, part, parts), rows = SHARE(B, part + 1, parts) - begin;
        if (!rows) continue;
        Division each = divided(rows);
        take_tiles(each.height);
        for (int64_t pair = 0; pair < each.parts; pair++) {
            int64_t row = SHARE(rows, pair, each.parts);
            for (int64_t t = T - 1; t >= 0; t--)
                backward_step(&b, dbias + part * 4 * H, t, begin + row,
                              SHARE(rows, pair + 1, each.parts) - row, each.height);
        }
        _tile_release();
    }
}
