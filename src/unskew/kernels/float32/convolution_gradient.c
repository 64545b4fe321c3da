/* The gradient of a 3x3 convolution with respect to its filters, by the transforms of winograd.h:
 *     dg = G' [(B' d B) * (A dy A')] G, summed over all tiles of 4x4 pixels,
 * so that it is 36 products of matrices whose sums run over tiles.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of PANEL.
 *   x  float (B, H, W, K);  dy float (B, H, W, N);  dg float (N, 3, 3, K)
 */
#include <string.h>

#include "square.h"
#include "winograd.h"

typedef struct {
    const float *x, *dy, *zeros;
    int64_t H, W, K, N;
    int64_t tile_rows, tiles; /* of an image, and of a row */
} Gradient;

/* A dy A' of one row of tiles: slopes (36, N / PANEL, count, PANEL) from tile `first` on. */
static void slopes_of(const Gradient *g, int64_t unit, float *slopes, int64_t count,
                      int64_t first) {
    int64_t W = g->W, N = g->N, image = unit / g->tile_rows, top = unit % g->tile_rows * TILE;
    int64_t stride = count * N + APART;
    const float *rows[TILE];
    for (int r = 0; r < TILE; r++)
        rows[r] = top + r < g->H ? g->dy + (image * g->H + top + r) * W * N : g->zeros;
    for (int64_t n = 0; n < N; n += LANES)
        for (int64_t tile = 0; tile < g->tiles; tile++) {
            V columns[TILE][SIDE] = {{{0}}};
            for (int s = 0; s < TILE; s++) {
                int64_t at = (TILE * tile + s) * N + n;
                if (TILE * tile + s < W)
                    transform_slopes(columns[s], load(rows[0] + at), load(rows[1] + at),
                                     load(rows[2] + at), load(rows[3] + at));
            }
            float *to = slopes + n / PANEL * PANEL * count + (first + tile) * PANEL + n % PANEL;
            for (int r = 0; r < SIDE; r++) {
                V row[SIDE];
                transform_slopes(row, columns[0][r], columns[1][r], columns[2][r], columns[3][r]);
                for (int s = 0; s < SIDE; s++) store(to + (SIDE * r + s) * stride, row[s]);
            }
        }
}

/* Of `rows` rows of tiles from `unit` on: sums float (36, N, K). */
static void add(const Gradient *g, int64_t unit, int64_t rows, float *sums, float *room) {
    int64_t K = g->K, N = g->N, count = rows * g->tiles;
    float *patches = room, *slopes = room + PLACES * (count * K + APART);
    for (int64_t row = 0; row < rows; row++) {
        const float *pixels[SIDE];
        rows_of(pixels, g->x, unit + row, g->H, g->W, K, g->zeros);
        patches_of_row(pixels, g->W, K, patches, PANEL, count, row * g->tiles);
        slopes_of(g, unit + row, slopes, count, row * g->tiles);
    }
    for (int64_t place = 0; place < PLACES; place++) {
        const float *left = slopes + place * (count * N + APART);
        const float *right = patches + place * (count * K + APART);
        for (int64_t n = 0; n < N; n += PANEL)
            for (int64_t k = 0; k < K; k += PANEL)
                add_square(sums + (place * N + n) * K + k, K, left + n * count, right + k * count,
                           count);
    }
}

/* dg of LANES channels = G' s G, of sums (36, N, K) over all parts. */
INLINE void filter_of(float *dg, const float *sums, int64_t K, int64_t N, int parts) {
    V columns[SIDE][3];
    for (int s = 0; s < SIDE; s++) {
        V p[SIDE];
        for (int r = 0; r < SIDE; r++) {
            const float *from = sums + (r * SIDE + s) * N * K;
            p[r] = load(from);
            for (int part = 1; part < parts; part++) p[r] += load(from + part * PLACES * N * K);
        }
        transform_back(columns[s], p[0], p[1], p[2], p[3], p[4], p[5]);
    }
    for (int r = 0; r < 3; r++) {
        V row[3];
        transform_back(row, columns[0][r], columns[1][r], columns[2][r], columns[3][r],
                       columns[4][r], columns[5][r]);
        for (int s = 0; s < 3; s++) store(dg + (3 * r + s) * K, row[s]);
    }
}

/* Bytes for a thread of `filter_gradient`. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) {
    return bytes_for(W, K, N, W * (K > N ? K : N));
}

/* room: parts times `size` bytes, of which each is room_needed. sums: room for float (parts, 36, N, K). */
void filter_gradient(const float *x, const float *dy, char *room, int64_t size, float *sums,
                     float *dg, int64_t B, int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    int64_t tile_rows = (H + TILE - 1) / TILE, tiles = (W + TILE - 1) / TILE;
    int64_t units = B * tile_rows, aside = W * (K > N ? K : N);
    int64_t most = (size / 4 - aside - 2 * PLACES * APART) / (PLACES * tiles * (K + N));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        float *zeros = (float *)(room + part * size), *own = sums + part * PLACES * N * K;
        memset(zeros, 0, aside * sizeof(float));
        memset(own, 0, sizeof(float) * PLACES * N * K);
        Gradient g = {x, dy, zeros, H, W, K, N, tile_rows, tiles};
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        for (int64_t unit = begin; unit < end; unit += most)
            add(&g, unit, end - unit < most ? end - unit : most, own, zeros + aside);
    }
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k += LANES)
            filter_of(dg + n * 9 * K + k, sums + n * K + k, K, N, parts);
}
