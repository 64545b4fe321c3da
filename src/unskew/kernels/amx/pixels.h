/* Rows of images as the convolutions want them before they go into tiles. */
#include <string.h>

#include "tiles.h"

/* Of `rows` rows with a zero after each, a row above and one below, and one zero in front. */
INLINE int64_t pixels_between_zeros(int64_t rows, int64_t W) { return (rows + 2) * (W + 1) + 1; }

/* Rows of an image of K channels that are taken at once: all, or as many as stay in the second cache. */
INLINE int64_t rows_at_once(int64_t H, int64_t W, int64_t K) {
    int64_t most = CACHED / (2 * (W + 1) * K) - 2;
    return most < 1 ? 1 : most < H ? most : H;
}

/* Copies rows of an image to where a pixel's room is left after each. */
INLINE void put_rows(bf16 *to, const bf16 *rows, int64_t count, int64_t W, int64_t K) {
    for (int64_t y = 0; y < count; y++) memcpy(to + y * (W + 1) * K, rows + y * W * K, W * K * 2);
}

/* Copies `rows` rows of an image (H, W, K) from `top` on, and one above and below, zero outside of the
 * image, to where the zeros between rows are already. */
INLINE void put_between_zeros(bf16 *to, const bf16 *image, int64_t H, int64_t W, int64_t K,
                              int64_t top, int64_t rows) {
    for (int64_t y = -1; y <= rows; y++) {
        bf16 *row = to + ((y + 1) * (W + 1) + 1) * K;
        if (top + y < 0 || top + y >= H)
            memset(row, 0, W * K * 2);
        else
            memcpy(row, image + (top + y) * W * K, W * K * 2);
    }
}
