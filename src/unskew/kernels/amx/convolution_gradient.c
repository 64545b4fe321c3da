/* The gradient of a 3x3 convolution with respect to its filters by its definition, in bfloat16 with
 * sums in fp32:
 *     dg[n, tap, k] = sum over pixels p of dy[p, n] x[p + the tap's distance, k].
 *
 * Images lie between zeros as in convolution.c, a few small ones behind each other or some rows of a large
 * one, dy as well: what the products add up at a zero of dy is nothing. Left tiles are of dy turned about, so that a row
 * is a channel; right ones have pairs of neighbouring pixels of x side by side, and as a tap's
 * distance may be odd, pairs are made of both kinds: beginning at even pixels and at odd ones.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of 32.
 *   x  bf16 (B, H, W, K);  dy bf16 (B, H, W, N);  dg float (N, 3, 3, K)
 */
#include "pixels.h"
#include "../bfloat16/turning.h"
#include "tiles.h"

#define ENOUGH 640 /* pixels, zeros counted, for a product to run over */
#define SPAN 320   /* pixels whose 32 channels stay in the first cache while all taps are taken */

/* What is taken at once, in images, rows and pixels; and where it lies in a thread's room, in bf16. */
typedef struct {
    int64_t images; /* behind each other */
    int64_t rows;   /* of each: fewer than all only of a single one */
    int64_t apart;  /* pixels from image to image */
    int64_t length; /* pixels of dy */
    int64_t seen;   /* of x, which taps see further of */
    int64_t row;    /* numbers from channel to channel of dy turned about */
    int64_t dy, turned, even, odd, end; /* x comes first */
} Layout;

INLINE int64_t rounded(int64_t count) { return (count + 31) / 32 * 32; }

static Layout layout(int64_t H, int64_t W, int64_t K, int64_t N) {
    Layout l = {.rows = rows_at_once(H, W, (K + N) / 2)}; /* two matrices, with copies */
    l.apart = (l.rows + 1) * (W + 1);
    l.images = l.rows < H || l.apart > ENOUGH ? 1 : ENOUGH / l.apart;
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

/* Brings `count` images, or `rows` rows from `top` on of one, to where they are multiplied; the pixels of
 * dy that they fill. */
static int64_t lay_out(const Layout *l, bf16 *room, const bf16 *x, const bf16 *dy, int64_t count,
                       int64_t H, int64_t W, int64_t K, int64_t N, int64_t top, int64_t rows) {
    for (int64_t i = 0; i < count; i++) {
        put_between_zeros(room + i * l->apart * K, x + i * H * W * K, H, W, K, top, rows);
        /* Without the zeros in front, which its taps do not look at. */
        put_rows(room + l->dy + i * l->apart * N, dy + (i * H + top) * W * N, rows, W, N);
    }
    int64_t filled = (count - 1) * l->apart + rows * (W + 1), length = rounded(filled);
    /* What another block has left behind. */
    memset(room + l->dy + filled * N, 0, (length - filled) * N * sizeof(bf16));
    return length;
}

/* room: parts times `size` bytes, of which each is room_needed. sums: room for float (parts, N, 9, K), of
 * which the first part's share is not used: it adds to dg. */
void filter_gradient(const bf16 *x, const bf16 *dy, char *room, int64_t size, float *sums,
                     float *dg, int64_t B, int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    Layout l = layout(H, W, K, N);
    int64_t bands = (H + l.rows - 1) / l.rows, units = (B + l.images - 1) / l.images * bands;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        bf16 *own = (bf16 *)(room + part * size);
        float *total = part ? sums + part * 9 * N * K : dg;
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        memset(total, 0, 9 * N * K * sizeof(float));
        if (begin < end) memset(own, 0, l.turned * sizeof(bf16));
        take_tiles(ROWS);
        for (int64_t unit = begin; unit < end; unit++) {
            int64_t image = unit / bands * l.images, band = unit % bands;
            int64_t count = B - image < l.images ? B - image : l.images;
            int64_t top = SHARE(H, band, bands), rows = SHARE(H, band + 1, bands) - top;
            int64_t length = lay_out(&l, own, x + image * H * W * K, dy + image * H * W * N, count, H,
                                     W, K, N, top, rows);
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
