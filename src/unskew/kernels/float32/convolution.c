/* A 3x3 convolution with stride 1 and padding 1 by Winograd's algorithm F(4x4, 3x3) in float32: an
 * output tile of 4x4 pixels takes 36 multiply-adds a pair of channels instead of 144. (In bfloat16
 * its constants would cost too many bits; there the tiles have 2x2 pixels.)
 *
 * A convolution is 36 products of matrices, one for each place in a patch, over all tiles. Tiles are
 * transformed, multiplied and transformed back a block at a time, small enough that everything
 * between the images stays in the caches. With the filters turned about and inputs for outputs, the
 * same is the gradient with respect to the images.
 *
 * B images of H x W pixels, channels last, K in and N out, both multiples of PANEL.
 *   x        float (B, H, W, K);  y float (B, H, W, N)
 *   filters  float (36, N / PANEL, K, PANEL), as transform_filters writes them
 */
#include "product.h"
#include "winograd.h"

typedef struct {
    const float *x, *filters;
    float *y;
    int64_t H, W, K, N;
    int64_t tile_rows, tiles; /* of an image, and of a row */
} Convolution;

/* products (rows, PANEL of N) = patches (rows, K) times one panel of filters. */
#define DEFINE(rows)                                                                           \
    static __attribute__((noinline)) void multiply_##rows(                                     \
        float *products, const float *patches, const float *panel, int64_t K, int64_t N) {     \
        V sums[ROWS][2];                                                                       \
        EACH_ROWS for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = (V){0};             \
        accumulate(sums, patches, K, 1, panel, K, rows);                                       \
        EACH_ROWS for (int r = 0; r < rows; r++) {                                             \
            store(products + r * N, sums[r][0]);                                               \
            store(products + r * N + LANES, sums[r][1]);                                       \
        }                                                                                      \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) multiply_##rows,
typedef void (*Multiply)(float *, const float *, const float *, int64_t, int64_t);
static const Multiply multiply_rows[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* All 36 products of `count` tiles, which are split into parts as equal as can be. */
static void multiply_all(const Convolution *c, const float *patches, float *products,
                         int64_t count) {
    int64_t K = c->K, N = c->N, parts = (count + ROWS - 1) / ROWS;
    for (int64_t place = 0; place < PLACES; place++) {
        const float *from = patches + place * (count * K + APART);
        float *to = products + place * (count * N + APART);
        for (int64_t n = 0; n < N; n += PANEL)
            for (int64_t part = 0; part < parts; part++) {
                int64_t tile = SHARE(count, part, parts);
                int64_t rows = SHARE(count, part + 1, parts) - tile;
                multiply_rows[rows - 1](to + tile * N + n, from + tile * K,
                                        c->filters + (place * N + n) * K, K, N);
            }
    }
}

/* A' m A of one row of tiles, of products (36, tiles, N). */
static void outputs_of(const Convolution *c, int64_t unit, const float *products, int64_t stride) {
    int64_t W = c->W, N = c->N, image = unit / c->tile_rows, top = unit % c->tile_rows * TILE;
    float *y = c->y + (image * c->H + top) * W * N;
    int64_t high = c->H - top < TILE ? c->H - top : TILE;
    for (int64_t tile = 0; tile < c->tiles; tile++) {
        int64_t left = tile * TILE, wide = W - left < TILE ? W - left : TILE;
        for (int64_t n = 0; n < N; n += LANES) {
            const float *m = products + tile * N + n;
            V columns[SIDE][TILE];
            for (int s = 0; s < SIDE; s++)
                transform_products(columns[s], load(m + s * stride),
                                   load(m + (SIDE + s) * stride), load(m + (2 * SIDE + s) * stride),
                                   load(m + (3 * SIDE + s) * stride),
                                   load(m + (4 * SIDE + s) * stride),
                                   load(m + (5 * SIDE + s) * stride));
            for (int64_t i = 0; i < high; i++) {
                V row[TILE];
                transform_products(row, columns[0][i], columns[1][i], columns[2][i],
                                   columns[3][i], columns[4][i], columns[5][i]);
                float *to = y + (i * W + left) * N + n;
                if (wide == TILE)
                    for (int j = 0; j < TILE; j++) store(to + j * N, row[j]);
                else
                    for (int64_t j = 0; j < wide; j++) store(to + j * N, row[j]);
            }
        }
    }
}

/* Places in a patch: filters and sums have as many matrices. */
int64_t places(void) { return PLACES; }

/* What numbers of channels must be multiples of. */
int64_t channels_at_once(void) { return PANEL; }

/* Bytes for a thread of `convolve`; the more room, the more tiles are multiplied at once. */
int64_t room_needed(int64_t H, int64_t W, int64_t K, int64_t N) { return bytes_for(W, K, N, W * K); }

/* room: parts times `size` bytes, of which each is room_needed. */
void convolve(const float *x, const float *filters, char *room, int64_t size, float *y, int64_t B,
              int64_t H, int64_t W, int64_t K, int64_t N, int parts) {
    Convolution c = {x, filters, y, H, W, K, N, (H + TILE - 1) / TILE, (W + TILE - 1) / TILE};
    int64_t units = B * c.tile_rows;
    int64_t most = (size / 4 - W * K - 2 * PLACES * APART) / (PLACES * c.tiles * (K + N));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        float *zeros = (float *)(room + part * size), *products = zeros + W * K;
        for (int64_t i = 0; i < W * K; i++) zeros[i] = 0;
        int64_t blocks = (end - begin + most - 1) / most;
        for (int64_t block = 0; block < blocks; block++) {
            int64_t unit = begin + SHARE(end - begin, block, blocks);
            int64_t rows = begin + SHARE(end - begin, block + 1, blocks) - unit;
            int64_t count = rows * c.tiles;
            float *patches = products + PLACES * (count * N + APART);
            for (int64_t r = 0; r < rows; r++) {
                const float *pixels[SIDE];
                rows_of(pixels, x, unit + r, H, W, K, zeros);
                patches_of_row(pixels, W, K, patches, K, count, r * c.tiles);
            }
            multiply_all(&c, patches, products, count);
            for (int64_t r = 0; r < rows; r++)
                outputs_of(&c, unit + r, products + r * c.tiles * N, count * N + APART);
        }
    }
}

/* Filters float (N, 3, 3, K) as `convolve` wants them: `forward`, and, unless it is NULL, `backward`
 * (36, K / PANEL, N, PANEL), turned about and inputs for outputs. room: float (36, N, K). */
void transform_filters(const float *filters, float *room, float *forward, float *backward, int64_t K,
                       int64_t N) {
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k += LANES) {
            const float *g = filters + n * 9 * K + k;
            V columns[3][SIDE];
            for (int s = 0; s < 3; s++)
                transform_filter(columns[s], load(g + s * K), load(g + (3 + s) * K),
                                 load(g + (6 + s) * K));
            for (int r = 0; r < SIDE; r++) {
                V row[SIDE];
                transform_filter(row, columns[0][r], columns[1][r], columns[2][r]);
                for (int s = 0; s < SIDE; s++)
                    store(room + ((SIDE * r + s) * N + n) * K + k, row[s]);
            }
        }
    for (int64_t place = 0; place < PLACES; place++)
        for (int64_t n = 0; n < N; n += PANEL)
            for (int64_t k = 0; k < K; k++)
                for (int64_t lane = 0; lane < PANEL; lane++)
                    forward[(place * N + n) * K + k * PANEL + lane] =
                        room[(place * N + n + lane) * K + k];
    if (!backward) return;
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k += LANES) {
            const float *g = filters + n * 9 * K + k;
            V columns[3][SIDE];
            for (int s = 0; s < 3; s++) /* turned about: the last row and column first */
                transform_filter(columns[s], load(g + (8 - s) * K), load(g + (5 - s) * K),
                                 load(g + (2 - s) * K));
            float *to = backward + (k / PANEL * PANEL * N) + n * PANEL + k % PANEL;
            for (int r = 0; r < SIDE; r++) {
                V row[SIDE];
                transform_filter(row, columns[0][r], columns[1][r], columns[2][r]);
                for (int s = 0; s < SIDE; s++) store(to + (SIDE * r + s) * N * K, row[s]);
            }
        }
}
