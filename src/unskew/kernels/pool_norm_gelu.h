/* What pool_norm_gelu.c is in every number format: its sizes, and sums that are taken in fp32 over
 * blocks of rows and added up in double. */
#include <stdint.h>
#include <string.h>

#define MAX_CHANNELS 1024
#define BLOCK 4 /* rows of pixels summed in fp32 before they are added to the double sums */

typedef struct {
    int64_t B, H, W, C, h, w;
    int parts;
} Shape;

static Shape shape_of(int64_t B, int64_t H, int64_t W, int64_t C, int pool, int parts) {
    Shape s = {B, H, W, C, pool ? H / 2 : H, pool ? W / 2 : W, parts};
    return s;
}

/* Two sums a channel over a block of rows: of values and of their products with factors. */
typedef struct {
    float values[MAX_CHANNELS], products[MAX_CHANNELS];
} Block;

static void clear(Block *block, int64_t C) {
    memset(block->values, 0, sizeof(float) * C);
    memset(block->products, 0, sizeof(float) * C);
}
static double *no_sums_yet(double *sums, int part, int64_t C) {
    return memset(sums + (int64_t)part * 2 * C, 0, sizeof(double) * 2 * C);
}
static void add_up(double *total, const Block *block, int64_t C) {
    for (int64_t c = 0; c < C; c++) {
        total[c] += block->values[c];
        total[C + c] += block->products[c];
    }
}
