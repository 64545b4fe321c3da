/* The transforms of F(4x4, 3x3), Lavin & Gray 2016, section 4.2: Y = A' [(G g G') * (B' d B)] A with
 * d a patch of 6x6 pixels, g a filter, * by element and Y 4x4 pixels; and their transposes, by which
 * the gradient with respect to the filters is G' [(B' d B) * (A dy A')] G. Each function takes or
 * gives one row or column; applied to all columns and then to all rows they make the whole. */
#pragma once

#include "vector.h"

#define TILE 4 /* pixels of a result's side */
#define SIDE 6 /* pixels of a patch's side */
#define PLACES (SIDE * SIDE)
/* From place to place there is a line of 64 bytes more than the numbers need: were it a power of
 * two, all places of a tile would fall into the same few sets of the first cache. */
#define APART 16

/* B' of six pixels. */
INLINE void transform_patch(V to[SIDE], V d0, V d1, V d2, V d3, V d4, V d5) {
    V even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = d3 - d1;
    to[0] = 4 * d0 + (d4 - 5 * d2);
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = near + 2 * far;
    to[4] = near - 2 * far;
    to[5] = 4 * d1 + (d5 - 5 * d3);
}

/* A' of six products. */
INLINE void transform_products(V to[TILE], V m0, V m1, V m2, V m3, V m4, V m5) {
    V near = m1 + m2, far = m3 + m4, near_slope = m1 - m2, far_slope = m3 - m4;
    to[0] = m0 + near + far;
    to[1] = near_slope + 2 * far_slope;
    to[2] = near + 4 * far;
    to[3] = near_slope + 8 * far_slope + m5;
}

/* A of four gradients. */
INLINE void transform_slopes(V to[SIDE], V d0, V d1, V d2, V d3) {
    V even = d0 + d2, odd = d1 + d3, far_even = d0 + 4 * d2, far_odd = d1 + 4 * d3;
    to[0] = d0;
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = far_even + 2 * far_odd;
    to[4] = far_even - 2 * far_odd;
    to[5] = d3;
}

/* G of three weights. */
INLINE void transform_filter(V to[SIDE], V g0, V g1, V g2) {
    const float sixth = 1 / 6.0f, twelfth = 1 / 12.0f;
    V even = sixth * (g0 + g2), odd = sixth * g1, far = sixth * (0.25f * g0 + g2), half = twelfth * g1;
    to[0] = 0.25f * g0;
    to[1] = -even - odd;
    to[2] = odd - even;
    to[3] = far + half;
    to[4] = far - half;
    to[5] = g2;
}

/* G' of six sums. */
INLINE void transform_back(V to[3], V s0, V s1, V s2, V s3, V s4, V s5) {
    const float sixth = 1 / 6.0f, twelfth = 1 / 12.0f;
    V near = s1 + s2, far = s3 + s4;
    to[0] = 0.25f * s0 - sixth * near + 0.25f * sixth * far;
    to[1] = sixth * (s2 - s1) + twelfth * (s3 - s4);
    to[2] = sixth * (far - near) + s5;
}

/* B' d B of one row of tiles, the rows of whose images are given: patches (36, K / panel, count,
 * panel) from tile `first` of `count` on, APART more numbers from place to place. W x K numbers a
 * row; what lies left and right of it is zero. */
static void patches_of_row(const float *const rows[SIDE], int64_t W, int64_t K, float *patches,
                           int64_t panel, int64_t count, int64_t first) {
    int64_t stride = count * K + APART, tiles = (W + TILE - 1) / TILE;
    for (int64_t k = 0; k < K; k += LANES) {
        V columns[SIDE][SIDE] = {{{0}}}; /* the last two of a patch are the next one's first */
        float *to = patches + k / panel * panel * count + first * panel + k % panel;
        for (int64_t x = 0; x < TILE * tiles + 1; x++) {
            V *column = columns[x < 1 ? 1 : 2 + (x - 1) % TILE];
            int64_t at = x * K + k;
            if (x < W)
                transform_patch(column, load(rows[0] + at), load(rows[1] + at), load(rows[2] + at),
                                load(rows[3] + at), load(rows[4] + at), load(rows[5] + at));
            else
                for (int r = 0; r < SIDE; r++) column[r] = (V){0};
            if (!x || x % TILE) continue;
            for (int r = 0; r < SIDE; r++) {
                V row[SIDE];
                transform_patch(row, columns[0][r], columns[1][r], columns[2][r], columns[3][r],
                                columns[4][r], columns[5][r]);
                for (int s = 0; s < SIDE; s++) store(to + (SIDE * r + s) * stride, row[s]);
                columns[0][r] = columns[4][r];
                columns[1][r] = columns[5][r];
            }
            to += panel;
        }
    }
}

/* The rows of image pixels, (B, H, W, K), that the patches of a row of tiles need; `zeros` stands for
 * those outside of the image. `unit` counts rows of tiles over all images. */
static void rows_of(const float *rows[SIDE], const float *x, int64_t unit, int64_t H, int64_t W,
                    int64_t K, const float *zeros) {
    int64_t tile_rows = (H + TILE - 1) / TILE, image = unit / tile_rows;
    int64_t top = unit % tile_rows * TILE - 1;
    for (int r = 0; r < SIDE; r++) {
        int inside = top + r >= 0 && top + r < H;
        rows[r] = inside ? x + (image * H + top + r) * W * K : zeros;
    }
}

/* Bytes of a thread's transformed tiles and their products, beside `aside` zeros: of a row of tiles,
 * of so many as fill a quarter of the second cache of today's processors, and of no fewer than a
 * product is worth beginning for. */
INLINE int64_t bytes_for(int64_t W, int64_t K, int64_t N, int64_t aside) {
    int64_t tiles = (W + TILE - 1) / TILE, worth = 24;
    int64_t numbers = PLACES * ((tiles > worth ? tiles : worth) * (K + N) + 2 * APART) + aside;
    return numbers * 4 > 256 << 10 ? numbers * 4 : 256 << 10;
}
