/* The gradient of a 3x3 convolution with respect to its filters by its definition, in bfloat16 with
 * sums in fp32:
 *     dg[n, tap, k] = sum over pixels p of dy[p, n] x[p + the tap's distance, k].
 *
 * Images lie between zeros as in convolution.c, a few behind each other, dy as well: what the
 * products add up at a zero of dy is nothing. Left tiles are of dy turned about, so that a row
 * is a channel; right ones have pairs of neighbouring pixels of x side by side, and as a tap's
 * distance may be odd, pairs are made of both kinds: beginning at even pixels and at odd ones.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of 32.
 *   x  bf16 (B, H, W, K);  dy bf16 (B, H, W, N);  dg float (N, 3, 3, K)
 */
#include "pixels.h"
#include "turning.h"

#define ENOUGH 640 /* pixels, zeros counted, for a product to run over */
#define SPAN 320   /* pixels whose 32 channels stay in the first cache while all taps are taken */

/* Where things lie in a thread's room, counted in bf16. */
typedef struct {
    int64_t images; /* behind each other */
    int64_t apart;  /* pixels from image to image */
    int64_t length; /* pixels of dy */
    int64_t seen;   /* of x, which taps see further of */
    int64_t row;    /* numbers from channel to channel of dy turned about */
    int64_t dy, turned, even, odd, end; /* x comes first */
} Layout;

INLINE int64_t rounded(int64_t count) { return (count + 31) / 32 * 32; }

static Layout layout(int64_t H, int64_t W, int64_t K, int64_t N) {
    Layout l = {.apart = (H + 1) * (W + 1)};
    l.images = l.apart > ENOUGH ? 1 : ENOUGH / l.apart;
    l.length = rounded(l.images * l.apart);
    l.seen = rounded(l.length + 2 * W + 6);
    l.row = odd_lines(l.length);
    l.dy = (l.seen + 2) * K;
    l.turned = l.dy + l.length * N;
    l.even = l.turned + l.row * N;
    l.odd = l.even + l.seen * K;
    l.end = l.odd + l.seen * K;
    return l;
}

/* sums (N, 9, K) += the products over the first `length` pixels. */
static void add(const Layout *l, const bf16 *room, int64_t length, int64_t W, int64_t K, int64_t N,
                float *sums) {
    int64_t spans = (length + SPAN - 1) / SPAN;
    for (int64_t span = 0; span < spans; span++) {
        int64_t begin = SHARE(length / LEFT, span, spans) * LEFT;
        int64_t steps = SHARE(length / LEFT, span + 1, spans) - begin / LEFT;
        for (int64_t k = 0; k < K; k += 32)
            for (int64_t n = 0; n < N; n += 32)
                for (int64_t tap = 0; tap < 9; tap++) {
                    int64_t distance = tap / 3 * (W + 1) + tap % 3;
                    const bf16 *pairs = room + (distance % 2 ? l->odd : l->even) + k * l->seen +
                                        (begin + distance) / 2 * 64;
                    const bf16 *turned = room + l->turned + n * l->row + begin;
                    float *sum = sums + (n * 9 + tap) * K + k, *second = sum + 16 * 9 * K;
                    load_sums(sum, second, 9 * K);
                    multiply(turned, turned + 16 * l->row, l->row, pairs, 64, steps);
                    store_sums(sum, second, 9 * K);
                }
    }
}

/* Bytes for a thread of `filter_gradient`. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) {
    return layout(H, W, K, N).end * 2;
}

/* room: parts times `size` bytes, of which each is room_needed. sums: room for float (parts, 9, N, K).
 */
void filter_gradient(const bf16 *x, const bf16 *dy, char *room, int64_t size, float *sums,
                     float *dg, int64_t B, int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    Layout l = layout(H, W, K, N);
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        bf16 *own = (bf16 *)(room + part * size);
        float *total = part ? sums + part * 9 * N * K : dg;
        memset(own, 0, l.turned * sizeof(bf16));
        memset(total, 0, 9 * N * K * sizeof(float));
        take_tiles(ROWS);
        int64_t end = SHARE(B, part + 1, parts);
        for (int64_t image = SHARE(B, part, parts); image < end; image += l.images) {
            int64_t count = end - image < l.images ? end - image : l.images;
            int64_t filled = count * l.apart, length = rounded(filled);
            for (int64_t i = 0; i < count; i++) {
                /* Without the zeros in front of dy, which its taps do not look at. */
                put_between_zeros(own + i * l.apart * K, x + (image + i) * H * W * K, H, W, K);
                put_rows(own + l.dy + i * l.apart * N, dy + (image + i) * H * W * N, H, W, N);
            }
            memset(own + l.dy + filled * N, 0, (length - filled) * N * sizeof(bf16));
            pair_up(own, l.seen, K, own + l.even);
            pair_up(own + K, l.seen, K, own + l.odd);
            turn_about(own + l.dy, length, N, N, own + l.turned, l.row);
            add(&l, own, length, W, K, N, total);
        }
        _tile_release();
    }
    for (int part = 1; part < parts; part++)
        for (int64_t i = 0; i < 9 * N * K; i++) dg[i] += sums[part * 9 * N * K + i];
}
