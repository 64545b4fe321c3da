/* A 3x3 convolution with stride 1 and padding 1 by Winograd's algorithm, F(2x2, 3x3) of Lavin &
 * Gray 2016 ("Fast algorithms for convolutional neural networks"), in bfloat16 with sums in fp32.
 *
 * An output tile of 2x2 pixels takes 16 multiply-adds a pair of channels instead of 36:
 *     Y = A' [(G g G') * (B' d B)] A,    d a patch of 4x4 pixels, g a filter, * by element,
 * so that a convolution is 16 products of matrices, one for each place in the patch, over all
 * tiles. Tiles are transformed, multiplied and transformed back a block at a time, small enough
 * that everything between the images stays in the second cache.
 *
 * With the filters turned about and inputs for outputs, the same is the gradient with respect to
 * the images. That with respect to the filters is in convolution_gradient.c.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of 32.
 *   x        bf16 (B, H, W, K);  y bf16 (B, H, W, N)
 *   filters  bf16 (16, N / 32, K / 2, 32, 2), as transform_filters writes them
 */
#include "bf16.h"

#define ROWS 12 /* tiles in registers at once: 12 x 2 sums leave 8 of 32 for what is multiplied */
#define PANEL 32

typedef struct {
    const bf16 *x, *filters;
    bf16 *y;
    int64_t H, W, K, N;
    int64_t tile_rows, tiles; /* of an image, and of a row */
} Convolution;

/* The vertical half of B' d: one column of a patch, of the four rows of pixels given. */
INLINE void column(__m512 to[4], const bf16 *const rows[4], int64_t at, int inside) {
    __m512 d[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) d[r] = inside ? load(rows[r] + at) : _mm512_setzero_ps();
    to[0] = _mm512_sub_ps(d[0], d[2]);
    to[1] = _mm512_add_ps(d[1], d[2]);
    to[2] = _mm512_sub_ps(d[2], d[1]);
    to[3] = _mm512_sub_ps(d[1], d[3]);
}

/* B' d B of one row of tiles: patches (16, tiles, K) with `stride` numbers from place to place.
 * `unit` counts rows of tiles over all images; `zeros` stands for rows outside of the image. */
static void patches_of(const Convolution *c, int64_t unit, const bf16 *zeros, bf16 *patches,
                       int64_t stride) {
    int64_t W = c->W, K = c->K, image = unit / c->tile_rows, top = unit % c->tile_rows * 2 - 1;
    const bf16 *rows[4];
    for (int r = 0; r < 4; r++) {
        int inside = top + r >= 0 && top + r < c->H;
        rows[r] = inside ? c->x + (image * c->H + top + r) * W * K : zeros;
    }
    for (int64_t k = 0; k < K; k += 16) {
        __m512 t[4][4]; /* columns of the patch; two of them are the next patch's first */
        column(t[0], rows, 0, 0);
        column(t[1], rows, k, 1);
        for (int64_t tile = 0; tile < c->tiles; tile++) {
            int64_t left = 2 * tile + 1;
            column(t[2], rows, left * K + k, left < W);
            column(t[3], rows, (left + 1) * K + k, left + 1 < W);
            bf16 *to = patches + tile * K + k;
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                store(to + (4 * r) * stride, _mm512_sub_ps(t[0][r], t[2][r]));
                store(to + (4 * r + 1) * stride, _mm512_add_ps(t[1][r], t[2][r]));
                store(to + (4 * r + 2) * stride, _mm512_sub_ps(t[2][r], t[1][r]));
                store(to + (4 * r + 3) * stride, _mm512_sub_ps(t[1][r], t[3][r]));
                t[0][r] = t[2][r];
                t[1][r] = t[3][r];
            }
        }
    }
}

/* products (rows, 32 of N) = patches (rows, K) times one panel of filters. */
INLINE void multiply(float *products, const bf16 *patches, const bf16 *panel, int64_t K, int64_t N,
                     int rows) {
    __m512 sums[ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    for (int64_t k = 0; k < K; k += 2) {
        __m512bh low = kept(_mm512_loadu_si512(panel + k * PANEL));
        __m512bh high = kept(_mm512_loadu_si512(panel + k * PANEL + 32));
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            __m512bh value = pair(patches + r * K + k);
            sums[r][0] = _mm512_dpbf16_ps(sums[r][0], value, low);
            sums[r][1] = _mm512_dpbf16_ps(sums[r][1], value, high);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_ps(products + r * N, sums[r][0]);
        _mm512_storeu_ps(products + r * N + 16, sums[r][1]);
    }
}

/* One function a number of rows, not inlined: each has all registers to itself. */
#define FOR_EACH_ROWS(DEFINE)                                                                  \
    DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6)                                \
    DEFINE(7) DEFINE(8) DEFINE(9) DEFINE(10) DEFINE(11) DEFINE(12)
#define DEFINE(rows)                                                                           \
    static __attribute__((noinline)) void multiply_##rows(                                     \
        float *products, const bf16 *patches, const bf16 *panel, int64_t K, int64_t N) {       \
        multiply(products, patches, panel, K, N, rows);                                        \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) multiply_##rows,
typedef void (*Multiply)(float *, const bf16 *, const bf16 *, int64_t, int64_t);
static const Multiply multiply_rows[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* All 16 products of `count` tiles, which are split into parts as equal as can be. */
static void multiply_all(const Convolution *c, const bf16 *patches, float *products,
                         int64_t count) {
    int64_t K = c->K, N = c->N, parts = (count + ROWS - 1) / ROWS;
    for (int64_t place = 0; place < 16; place++)
        for (int64_t n = 0; n < N; n += PANEL) {
            const bf16 *panel = c->filters + (place * N + n) * K;
            for (int64_t part = 0; part < parts; part++) {
                int64_t tile = SHARE(count, part, parts);
                int64_t rows = SHARE(count, part + 1, parts) - tile;
                multiply_rows[rows - 1](products + (place * count + tile) * N + n,
                                        patches + (place * count + tile) * K, panel, K, N);
            }
        }
}

/* A' m A of one row of tiles, of products (16, tiles, N). */
static void outputs_of(const Convolution *c, int64_t unit, const float *products, int64_t stride) {
    int64_t W = c->W, N = c->N, image = unit / c->tile_rows, top = unit % c->tile_rows * 2;
    bf16 *upper = c->y + (image * c->H + top) * W * N, *lower = upper + W * N;
    int both = top + 1 < c->H;
    for (int64_t tile = 0; tile < c->tiles; tile++)
        for (int64_t n = 0; n < N; n += 16) {
            const float *m = products + tile * N + n;
            __m512 left[4], right[4];
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++) {
                __m512 m1 = _mm512_loadu_ps(m + (4 * r + 1) * stride);
                __m512 m2 = _mm512_loadu_ps(m + (4 * r + 2) * stride);
                left[r] = _mm512_add_ps(_mm512_loadu_ps(m + 4 * r * stride),
                                        _mm512_add_ps(m1, m2));
                right[r] = _mm512_sub_ps(_mm512_sub_ps(m1, m2),
                                         _mm512_loadu_ps(m + (4 * r + 3) * stride));
            }
            int64_t at = 2 * tile * N + n;
            int wide = 2 * tile + 1 < W;
#define UPPER(s) _mm512_add_ps(s[0], _mm512_add_ps(s[1], s[2]))
#define LOWER(s) _mm512_sub_ps(_mm512_sub_ps(s[1], s[2]), s[3])
            store(upper + at, UPPER(left));
            if (wide) store(upper + at + N, UPPER(right));
            if (both) store(lower + at, LOWER(left));
            if (both && wide) store(lower + at + N, LOWER(right));
        }
}

/* Places in a patch: filters and sums have as many matrices. */
int64_t places(void) { return 16; }

/* What numbers of channels must be multiples of. */
int64_t channels_at_once(void) { return PANEL; }

/* Bytes for a thread of `convolve`: a row of tiles and a row of zeros at least; the more room, the
 * more tiles are multiplied at once. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) {
    int64_t least = 32 * ((W + 1) / 2) * (K + 2 * N) + 2 * W * K;
    return least > CACHED ? least : CACHED;
}

/* room: parts times `size` bytes, of which each is room_needed. */
void convolve(const bf16 *x, const bf16 *filters, char *room, int64_t size, bf16 *y, int64_t B,
              int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    Convolution c = {x, filters, y, H, W, K, N, (H + 1) / 2, (W + 1) / 2};
    int64_t units = B * c.tile_rows, each = 32 * c.tiles * (K + 2 * N);
    int64_t most = (size - 2 * W * K) / each;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        bf16 *zeros = (bf16 *)(room + part * size);
        for (int64_t i = 0; i < W * K; i++) zeros[i] = 0;
        float *products = (float *)(zeros + W * K);
        for (int64_t unit = begin; unit < end; unit += most) {
            int64_t rows = end - unit < most ? end - unit : most, count = rows * c.tiles;
            bf16 *patches = (bf16 *)(products + 16 * count * N);
            for (int64_t r = 0; r < rows; r++)
                patches_of(&c, unit + r, zeros, patches + r * c.tiles * K, count * K);
            multiply_all(&c, patches, products, count);
            for (int64_t r = 0; r < rows; r++)
                outputs_of(&c, unit + r, products + r * c.tiles * N, count * N);
        }
    }
}

/* g of one filter and 16 channels to G g G'. */
INLINE void transform(__m512 to[4][4], const float *filter, int64_t K) {
    const __m512 half = _mm512_set1_ps(0.5f);
    __m512 rows[4][3];
#pragma GCC unroll 3
    for (int s = 0; s < 3; s++) {
        __m512 g0 = _mm512_loadu_ps(filter + s * K), g1 = _mm512_loadu_ps(filter + (3 + s) * K);
        __m512 g2 = _mm512_loadu_ps(filter + (6 + s) * K);
        __m512 outer = _mm512_mul_ps(half, _mm512_add_ps(g0, g2)), inner = _mm512_mul_ps(half, g1);
        rows[0][s] = g0;
        rows[1][s] = _mm512_add_ps(outer, inner);
        rows[2][s] = _mm512_sub_ps(outer, inner);
        rows[3][s] = g2;
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
        __m512 outer = _mm512_mul_ps(half, _mm512_add_ps(rows[r][0], rows[r][2]));
        __m512 inner = _mm512_mul_ps(half, rows[r][1]);
        to[r][0] = rows[r][0];
        to[r][1] = _mm512_add_ps(outer, inner);
        to[r][2] = _mm512_sub_ps(outer, inner);
        to[r][3] = rows[r][2];
    }
}

/* Filters float (N, 3, 3, K) as `convolve` wants them: `forward`, and `backward` (16, K / 32,
 * N / 2, 32, 2), turned about and inputs for outputs. room: bf16 (16, N, K). */
void transform_filters(const float *filters, bf16 *room, bf16 *forward, bf16 *backward, int64_t K,
                       int64_t N) {
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k += 16) {
            __m512 u[4][4];
            transform(u, filters + n * 9 * K + k, K);
#pragma GCC unroll 16
            for (int place = 0; place < 16; place++)
                store(room + (place * N + n) * K + k, u[place / 4][place % 4]);
        }
    for (int64_t place = 0; place < 16; place++)
        for (int64_t n = 0; n < N; n += 16)
            for (int64_t k = 0; k < K; k += 2) /* pairs of inputs */
                _mm512_storeu_si512(
                    forward + (place * N + n / PANEL * PANEL) * K + k * PANEL + n % PANEL * 2,
                    neighbours(room + (place * N + n) * K + k, K * 2));
    if (!backward) return;
    for (int64_t place = 0; place < 16; place++) {
        /* A filter turned about has the first and the last of G g G' change places. */
        static const int turned[4] = {3, 1, 2, 0};
        const bf16 *from = room + (turned[place / 4] * 4 + turned[place % 4]) * N * K;
        for (int64_t k = 0; k < K; k += 16)
            for (int64_t n = 0; n < N; n += 2) { /* pairs of outputs */
                const bf16 *even = from + n * K + k;
                _mm512_storeu_si512(
                    backward + (place * K + k / PANEL * PANEL) * N + n * PANEL + k % PANEL * 2,
                    paired(even, even + K));
            }
    }
}
