/* The gradient of a 3x3 convolution with respect to its filters, by the transforms of convolution.c:
 *     dg = G' [(B' d B) * (A dy A')] G, summed over all tiles,
 * so that it is 16 products of matrices whose sums run over tiles. A multiply-add takes two
 * neighbouring tiles at once: both transforms write pairs of tiles side by side. An odd number
 * of tiles in a row is filled up with one of zeros.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of 32.
 *   x  bf16 (B, H, W, K);  dy bf16 (B, H, W, N);  dg float (N, 3, 3, K)
 */
#include <string.h>

#include "bf16.h"

#define ROWS 8 /* 8 x 2 sums in registers */

typedef struct {
    const bf16 *x, *dy, *zeros;
    int64_t H, W, K, N;
    int64_t tile_rows, pairs; /* of an image, and pairs of tiles of a row */
} Gradient;

/* Value by value beside each other. */
INLINE void store_pair(bf16 *to, __m512 even, __m512 odd) {
    static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(_mm512_loadu_si512(order), both));
}

/* Row r of B' d B for one row of tiles, from pair `first` on of patches (4, K / 32, pairs, 32, 2),
 * so that a panel of 32 channels is read in one piece. */
static void patches_of(const Gradient *g, int64_t unit, int r, bf16 *patches, int64_t pairs,
                       int64_t first) {
    static const struct { int first, second; float sign; } rows[4] = {
        {0, 2, -1}, {1, 2, 1}, {2, 1, -1}, {1, 3, -1}};
    int64_t W = g->W, K = g->K, image = unit / g->tile_rows, top = unit % g->tile_rows * 2 - 1;
    const bf16 *from[2];
    for (int i = 0; i < 2; i++) {
        int64_t y = top + (i ? rows[r].second : rows[r].first);
        from[i] = y >= 0 && y < g->H ? g->x + (image * g->H + y) * W * K : g->zeros;
    }
    int64_t stride = pairs * K * 2;
    const __m512 sign = _mm512_set1_ps(rows[r].sign);
    for (int64_t k = 0; k < K; k += 16) {
#define COLUMN(x)                                                                           \
    ((x) < W ? _mm512_fmadd_ps(sign, load(from[1] + (x) * K + k), load(from[0] + (x) * K + k)) \
             : _mm512_setzero_ps())
        __m512 a = _mm512_setzero_ps(), b = COLUMN(0);
        for (int64_t p = 0; p < g->pairs; p++) {
            int64_t x = 4 * p;
            __m512 c = COLUMN(x + 1), d = COLUMN(x + 2), e = COLUMN(x + 3), f = COLUMN(x + 4);
            bf16 *to = patches + ((k / 32 * pairs + first + p) * 32 + k % 32) * 2;
            store_pair(to, _mm512_sub_ps(a, c), _mm512_sub_ps(c, e));
            store_pair(to + stride, _mm512_add_ps(b, c), _mm512_add_ps(d, e));
            store_pair(to + 2 * stride, _mm512_sub_ps(c, b), _mm512_sub_ps(e, d));
            store_pair(to + 3 * stride, _mm512_sub_ps(b, d), _mm512_sub_ps(d, f));
            a = e;
            b = f;
        }
    }
}

/* Row r of A dy A' for one row of tiles, as above: slopes (4, N / 16, pairs, 16, 2). */
static void slopes_of(const Gradient *g, int64_t unit, int r, bf16 *slopes, int64_t pairs,
                      int64_t first) {
    static const float factors[4][2] = {{1, 0}, {1, 1}, {1, -1}, {0, -1}};
    int64_t W = g->W, N = g->N, image = unit / g->tile_rows, top = unit % g->tile_rows * 2;
    const bf16 *upper = g->dy + (image * g->H + top) * W * N;
    const bf16 *lower = top + 1 < g->H ? upper + W * N : g->zeros;
    const __m512 above = _mm512_set1_ps(factors[r][0]), below = _mm512_set1_ps(factors[r][1]);
    int64_t stride = pairs * N * 2;
    const __m512 zero = _mm512_setzero_ps();
    for (int64_t n = 0; n < N; n += 16)
        for (int64_t p = 0; p < g->pairs; p++) {
            __m512 d[4];
#pragma GCC unroll 4
            for (int s = 0; s < 4; s++) {
                int64_t x = 4 * p + s;
                d[s] = x < W ? _mm512_fmadd_ps(below, load(lower + x * N + n),
                                               _mm512_mul_ps(above, load(upper + x * N + n)))
                             : zero;
            }
            bf16 *to = slopes + (n / 16 * pairs + first + p) * 32;
            store_pair(to, d[0], d[2]);
            store_pair(to + stride, _mm512_add_ps(d[0], d[1]), _mm512_add_ps(d[2], d[3]));
            store_pair(to + 2 * stride, _mm512_sub_ps(d[0], d[1]), _mm512_sub_ps(d[2], d[3]));
            store_pair(to + 3 * stride, _mm512_sub_ps(zero, d[1]), _mm512_sub_ps(zero, d[3]));
        }
}

/* sums (8 of N, 32 of K) += 8 of the 16 slopes (pairs, 16, 2) times patches (pairs, 32, 2). */
static __attribute__((noinline)) void multiply(float *sums, const bf16 *slopes,
                                               const bf16 *patches, int64_t pairs, int64_t K) {
    __m512 s[ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        s[r][0] = _mm512_loadu_ps(sums + r * K);
        s[r][1] = _mm512_loadu_ps(sums + r * K + 16);
    }
    for (int64_t p = 0; p < pairs; p++) {
        __m512bh low = kept(_mm512_loadu_si512(patches + p * 64));
        __m512bh high = kept(_mm512_loadu_si512(patches + p * 64 + 32));
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            __m512bh value = pair(slopes + (p * 16 + r) * 2);
            s[r][0] = _mm512_dpbf16_ps(s[r][0], value, low);
            s[r][1] = _mm512_dpbf16_ps(s[r][1], value, high);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(sums + r * K, s[r][0]);
        _mm512_storeu_ps(sums + r * K + 16, s[r][1]);
    }
}

/* Of the rows of tiles from begin to end: sums float (16, N, K), rows `from` to `to` of patches. */
static void add(const Gradient *g, int64_t begin, int64_t end, int from, int to, float *sums,
                bf16 *room, int64_t most) {
    int64_t K = g->K, N = g->N;
    for (int64_t unit = begin; unit < end; unit += most) {
        int64_t rows = end - unit < most ? end - unit : most, pairs = rows * g->pairs;
        bf16 *patches = room, *slopes = room + (to - from) * 4 * pairs * K * 2;
        for (int r = from; r < to; r++)
            for (int64_t row = 0; row < rows; row++) {
                int64_t place = (r - from) * 4 * pairs * 2, first = row * g->pairs;
                patches_of(g, unit + row, r, patches + place * K, pairs, first);
                slopes_of(g, unit + row, r, slopes + place * N, pairs, first);
            }
        for (int64_t place = 0; place < (to - from) * 4; place++)
            for (int64_t k = 0; k < K; k += 32)
                for (int64_t n = 0; n < N; n += ROWS) {
                    int64_t panel = place * N + n / 16 * 16;
                    multiply(sums + ((from * 4 + place) * N + n) * K + k,
                             slopes + (panel * pairs + n % 16) * 2,
                             patches + (place * K + k) * pairs * 2, pairs, K);
                }
    }
}

/* dg of 16 channels = G' s G, of sums (16, N, K) over all parts. */
INLINE void transform_back(float *dg, const float *sums, int64_t K, int64_t N, int parts) {
    const __m512 half = _mm512_set1_ps(0.5f);
    __m512 rows[3][4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) {
        __m512 p[4];
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            const float *from = sums + (r * 4 + s) * N * K;
            p[r] = _mm512_loadu_ps(from);
            for (int part = 1; part < parts; part++)
                p[r] = _mm512_add_ps(p[r], _mm512_loadu_ps(from + part * 16 * N * K));
        }
        __m512 sum = _mm512_mul_ps(half, _mm512_add_ps(p[1], p[2]));
        rows[0][s] = _mm512_add_ps(p[0], sum);
        rows[1][s] = _mm512_mul_ps(half, _mm512_sub_ps(p[1], p[2]));
        rows[2][s] = _mm512_add_ps(p[3], sum);
    }
#pragma GCC unroll 3
    for (int r = 0; r < 3; r++) {
        __m512 sum = _mm512_mul_ps(half, _mm512_add_ps(rows[r][1], rows[r][2]));
        _mm512_storeu_ps(dg + 3 * r * K, _mm512_add_ps(rows[r][0], sum));
        _mm512_storeu_ps(dg + (3 * r + 1) * K,
                         _mm512_mul_ps(half, _mm512_sub_ps(rows[r][1], rows[r][2])));
        _mm512_storeu_ps(dg + (3 * r + 2) * K, _mm512_add_ps(rows[r][3], sum));
    }
}

/* Bytes for a thread of `filter_gradient`: a row of tiles and a row of zeros at least. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) {
    int64_t least = 64 * ((W + 3) / 4) * (K + N) + 2 * W * (K > N ? K : N);
    return least > CACHED ? least : CACHED;
}

/* room: parts times `size` bytes, of which each is room_needed. sums: room for float (parts, 16, N, K). */
void filter_gradient(const bf16 *x, const bf16 *dy, char *room, int64_t size, float *sums,
                     float *dg, int64_t B, int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    int64_t rows = (H + 1) / 2, pairs = (W + 3) / 4, units = B * rows;
    /* Where sums are many, a pass over the images adds to some of them, and there are more. */
    int together = 4;
    while (together > 1 && together * 4 * K * N * 4 > CACHED) together /= 2;
    int64_t aside = W * (K > N ? K : N);
    int64_t most = (size - 2 * aside) / (16 * together * pairs * (K + N));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        bf16 *zeros = (bf16 *)(room + part * size);
        memset(zeros, 0, aside * 2);
        float *own = sums + part * 16 * N * K;
        memset(own, 0, sizeof(float) * 16 * N * K);
        Gradient g = {x, dy, zeros, H, W, K, N, rows, pairs};
        for (int from = 0; from < 4; from += together)
            add(&g, SHARE(units, part, parts), SHARE(units, part + 1, parts), from,
                from + together, own, zeros + aside, most);
    }
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k += 16)
            transform_back(dg + n * 9 * K + k, sums + n * K + k, K, N, parts);
}
