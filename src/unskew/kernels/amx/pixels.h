/* Images as the convolutions want them before they go into tiles. */
#include <string.h>

#include "tiles.h"

/* Of an image with a zero after each row, a row of zeros above and below, and one zero in front. */
INLINE int64_t pixels_between_zeros(int64_t H, int64_t W) { return (H + 2) * (W + 1) + 1; }

/* Asks for the share of `part` of `parts` of what is read next to be brought into the second cache. */
INLINE void call_for(const bf16 *from, int64_t count, int64_t part, int64_t parts) {
    for (int64_t i = SHARE(count, part, parts) / 32; i < SHARE(count, part + 1, parts) / 32; i++)
        _mm_prefetch((const char *)(from + 32 * i), _MM_HINT_T1);
}

/* Copies an image (H, W, K) to where a pixel's room is left after each row. */
INLINE void put_rows(bf16 *to, const bf16 *image, int64_t H, int64_t W, int64_t K) {
    for (int64_t y = 0; y < H; y++) memcpy(to + y * (W + 1) * K, image + y * W * K, W * K * 2);
}

/* And to between the zeros. */
INLINE void put_between_zeros(bf16 *to, const bf16 *image, int64_t H, int64_t W, int64_t K) {
    put_rows(to + (W + 2) * K, image, H, W, K);
}
