/* A 3x3 convolution with stride 1 and padding 1 by its definition, in bfloat16 with sums in fp32: in
 * tiles multiply-adds are so cheap that Winograd's transforms would cost more than they save.
 *
 * Rows of an image are copied between zeros, W + 1 pixels a row: the zero at a row's end is also the one
 * before the next row. What a filter's tap sees then lies a fixed distance from each pixel of the
 * result, so that the left tiles are read from any consecutive pixels as they lie in memory. Results
 * at the zeros are computed and dropped. So many rows are taken at once as stay in the second cache.
 *
 * With the filters turned about and inputs for outputs, the same is the gradient with respect to the
 * images. That with respect to the filters is in convolution_gradient.c.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of 32.
 *   x        bf16 (B, H, W, K);  y bf16 (B, H, W, N)
 *   filters  bf16 (N / 32, 9, K / 2, 32, 2), as transform_filters writes them
 */
#include "pixels.h"

#define PANEL 32

typedef struct {
    const bf16 *filters;
    int64_t W, K, N;
} Convolution;

/* 32 outputs of the pixels from `begin` to `end`, counted with the zeros; y those of the rows at hand. */
INLINE void outputs_of(const Convolution *c, const bf16 *pixels, int64_t n, int64_t begin,
                       int64_t end, int64_t height, bf16 *y) {
    int64_t K = c->K, wide = c->W + 1, second = end - height, zeros = begin / wide;
    zero_sums();
    for (int64_t tap = 0; tap < 9; tap++) {
        const bf16 *seen = pixels + (tap / 3 * wide + tap % 3) * K;
        multiply(seen + begin * K, seen + second * K, K, c->filters + (n * 9 + tap * PANEL) * K,
                 2 * PANEL, K / LEFT);
    }
    float sums[PAIR][PANEL] __attribute__((aligned(64)));
    store_sums(sums[0], sums[second - begin], PANEL);
    int64_t until = (zeros + 1) * wide - 1; /* where the next zero stands */
    for (int64_t at = begin; at < end; at++) {
        if (at == until) {
            zeros++;
            until += wide;
            continue;
        }
        store_panel(y + (at - zeros) * c->N + n, sums[at - begin]);
    }
}

/* Taps of a filter. */
int64_t places(void) { return 9; }

/* What numbers of channels must be multiples of. */
int64_t channels_at_once(void) { return PANEL; }

/* Bytes for a thread of `convolve`: rows of an image between zeros. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) {
    (void)N;
    return 2 * pixels_between_zeros(rows_at_once(H, W, K), W) * K;
}

/* room: parts times `size` bytes, of which each is room_needed. */
void convolve(const bf16 *x, const bf16 *filters, char *room, int64_t size, bf16 *y, int64_t B,
              int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    Convolution c = {filters, W, K, N};
    int64_t bands = (H + rows_at_once(H, W, K) - 1) / rows_at_once(H, W, K), units = B * bands;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        bf16 *pixels = (bf16 *)(room + part * size);
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        if (begin < end) memset(pixels, 0, size);
        for (int64_t unit = begin; unit < end; unit++) {
            int64_t image = unit / bands, band = unit % bands;
            int64_t top = SHARE(H, band, bands), rows = SHARE(H, band + 1, bands) - top;
            int64_t count = rows * (W + 1) - 1;
            Division each = divided(count);
            put_between_zeros(pixels, x + image * H * W * K, H, W, K, top, rows);
            take_tiles(each.height);
            for (int64_t n = 0; n < N; n += PANEL)
                for (int64_t i = 0; i < each.parts; i++)
                    outputs_of(&c, pixels, n, SHARE(count, i, each.parts),
                               SHARE(count, i + 1, each.parts), each.height,
                               y + (image * H + top) * W * N);
        }
        _tile_release();
    }
}

/* Filters float (N, 3, 3, K) as `convolve` wants them: `forward`, and, unless it is NULL, `backward`
 * (K / 32, 9, N / 2, 32, 2), turned about and inputs for outputs. room: bf16 (N, 9, K). */
void transform_filters(const float *filters, bf16 *room, bf16 *forward, bf16 *backward, int64_t K,
                       int64_t N) {
    for (int64_t i = 0; i < N * 9 * K; i += 16) store(room + i, _mm512_loadu_ps(filters + i));
    for (int64_t tap = 0; tap < 9; tap++)
        for (int64_t n = 0; n < N; n += 16)
            for (int64_t k = 0; k < K; k += 2) /* pairs of inputs */
                _mm512_storeu_si512(
                    forward + (n / PANEL * 9 + tap) * PANEL * K + k * PANEL + n % PANEL * 2,
                    neighbours(room + (n * 9 + tap) * K + k, K * 18));
    if (!backward) return;
    for (int64_t tap = 0; tap < 9; tap++)
        for (int64_t k = 0; k < K; k += 16)
            for (int64_t n = 0; n < N; n += 2) { /* pairs of outputs */
                const bf16 *even = room + (n * 9 + 8 - tap) * K + k;
                _mm512_storeu_si512(
                    backward + (k / PANEL * 9 + tap) * PANEL * N + n * PANEL + k % PANEL * 2,
                    paired(even, even + 9 * K));
            }
}
