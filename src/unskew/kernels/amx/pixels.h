/* Images as the convolutions want them before they go into tiles. */
#include <string.h>

#include "tiles.h"

/* Of an image with a zero after each row, a row of zeros above and below, and one zero in front. */
INLINE int64_t pixels_between_zeros(int64_t H, int64_t W) { return (H + 2) * (W + 1) + 1; }

/* Copies an image (H, W, K) to where a pixel's room is left after each row. */
INLINE void put_rows(bf16 *to, const bf16 *image, int64_t H, int64_t W, int64_t K) {
    for (int64_t y = 0; y < H; y++) memcpy(to + y * (W + 1) * K, image + y * W * K, W * K * 2);
}

/* And to between the zeros. */
INLINE void put_between_zeros(bf16 *to, const bf16 *image, int64_t H, int64_t W, int64_t K) {
    put_rows(to + (W + 2) * K, image, H, W, K);
}
