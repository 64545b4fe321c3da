/* A batch of images from where the set lies: gathered, mirrored, shifted, normalised and stored in
 * one pass, with the arithmetic of the tensor code that it stands for, so that both agree bit for
 * bit.
 *
 *   pixels   uint8 (N, H, W, 3)        rows    int64 (B), images to take
 *   flips    bool (B) or NULL          shifts  int64 (B, 2) or NULL: down and right, 0 ... 2 border
 *   mean, scale  float (3 W): a row's, channel by channel
 *   out      float (B, H, W, 3)
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIDEST 4096 /* pixels of a row */
#define SHARE(total, part, parts) ((int64_t)(total) * (part) / (parts))

static void one(const uint8_t *image, int flip, int64_t down, int64_t right, const float *mean,
                const float *scale, float *out, int64_t H, int64_t W) {
    uint8_t mirrored[3 * WIDEST];
    /* Columns of the result that the shifted image covers; what it does not cover is 0. */
    int64_t first = right < 0 ? (-right < W ? -right : W) : 0;
    int64_t last = right > 0 ? (right < W ? W - right : 0) : W;
    for (int64_t h = 0; h < H; h++, out += 3 * W) {
        if (h + down < 0 || h + down >= H) {
            memset(out, 0, sizeof(float) * 3 * W);
            continue;
        }
        const uint8_t *row = image + (h + down) * 3 * W;
        if (flip) {
            for (int64_t w = 0; w < W; w++)
                for (int c = 0; c < 3; c++) mirrored[3 * w + c] = row[3 * (W - 1 - w) + c];
            row = mirrored;
        }
        row += 3 * right;
        memset(out, 0, sizeof(float) * 3 * first);
        for (int64_t j = 3 * first; j < 3 * last; j++)
            out[j] = ((float)row[j] - mean[j]) * scale[j];
        memset(out + 3 * last, 0, sizeof(float) * 3 * (W - last));
    }
}

void batch(const uint8_t *pixels, const int64_t *rows, const uint8_t *flips,
           const int64_t *shifts, const float *mean, const float *scale, float *out, int64_t B,
           int64_t H, int64_t W, int64_t border, int parts) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++)
        for (int64_t b = SHARE(B, part, parts); b < SHARE(B, part + 1, parts); b++)
            one(pixels + rows[b] * H * W * 3, flips && flips[b],
                shifts ? shifts[2 * b] - border : 0, shifts ? shifts[2 * b + 1] - border : 0, mean,
                scale, out + b * H * W * 3, H, W);
}
