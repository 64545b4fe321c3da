/* Batch normalisation, ReLU and, if wanted, a shortcut added before the ReLU or a 2x2 max-pool
 * after it, in one pass over memory, forward and backward, for images stored channels last: rows of
 * C values, one row a pixel.
 *
 * On a CPU these three cost as much as the convolutions between them, because each reads and
 * writes the whole activation. Fused, the forward reads it twice (statistics, then result) and
 * the backward twice; no mask or arg max is stored, both follow again from the input.
 *
 * Sums are taken in fp32 over blocks of rows and added up in double, in an order that depends on
 * the number of threads alone. Who includes this says what a stored `number` is and gives `load` and
 * `store`, to and from a float, in which all is computed.
 *
 * Shapes: x (rows, C); with pooling, rows = images * height * width and y, dy (images, height / 2,
 * width / 2, C), else y, dy as x; `width` is 0 without pooling. A shortcut is shaped as x, NULL if
 * there is none, and does not go with pooling.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "batch_norm.h"

#define MAX_CHANNELS 1024
#define BLOCK 64 /* rows summed in fp32 before they are added to the double sums */

/* Rows far apart in time have left the caches: call for them this many numbers ahead. */
#define AHEAD 2048
#define LINE (64 / (int)sizeof(number))
#define PREFETCH(at, count)                                     \
    for (int line = 0; line < (count); line += LINE) __builtin_prefetch((at) + AHEAD + line)
#define SHARE(total, part, parts) ((int64_t)(total) * (part) / (parts))

/* A NaN if one of them is: a comparison with it is false, which gives the second. */
static inline float larger(float first, float second) {
    float without = first > second ? first : second;
    return first != first ? first : without;
}

/* sums[part][0][c] = sum of x - pivot, sums[part][1][c] = sum of (x - pivot)^2. The pivot is one
 * of the values, so that squares of large numbers do not cancel and a constant has no variance. */
static void statistics(const number *restrict x, const float *restrict pivot, double *sums,
                       int64_t rows, int C, int parts) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        double *total = sums + (int64_t)part * 2 * C;
        memset(total, 0, sizeof(double) * 2 * C);
        int64_t end = SHARE(rows, part + 1, parts);
        for (int64_t row = SHARE(rows, part, parts); row < end; row += BLOCK) {
            float first[MAX_CHANNELS], second[MAX_CHANNELS];
            memset(first, 0, sizeof(float) * C);
            memset(second, 0, sizeof(float) * C);
            int64_t last = row + BLOCK < end ? row + BLOCK : end;
            for (int64_t r = row; r < last; r++) {
                const number *restrict in = x + r * C;
                PREFETCH(in, C);
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float value = load(in[c]) - pivot[c];
                    first[c] += value;
                    second[c] += value * value;
                }
            }
#pragma omp simd
            for (int c = 0; c < C; c++) {
                total[c] += first[c];
                total[C + c] += second[c];
            }
        }
    }
}

/* y = relu(a x + b + shortcut), or relu(a x + b), pooled if `width` > 0. */
void forward(const number *restrict x, const number *restrict shortcut, const float *restrict a,
             const float *restrict b, number *restrict y, int64_t rows, int width, int C,
             int parts) {
    if (shortcut) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
        for (int part = 0; part < parts; part++)
            for (int64_t r = SHARE(rows, part, parts); r < SHARE(rows, part + 1, parts); r++)
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float z = load(x[r * C + c]) * a[c] + b[c] + load(shortcut[r * C + c]);
                    y[r * C + c] = store(z < 0 ? 0 : z);
                }
        return;
    }
    if (!width) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
        for (int part = 0; part < parts; part++)
            for (int64_t r = SHARE(rows, part, parts); r < SHARE(rows, part + 1, parts); r++) {
                PREFETCH(x + r * C, C);
                PREFETCH(y + r * C, C);
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float z = load(x[r * C + c]) * a[c] + b[c];
                    y[r * C + c] = store(z < 0 ? 0 : z);
                }
            }
        return;
    }
    int64_t pairs = rows / width / 2; /* pairs of image rows; images have an even height */
    int half = width / 2;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++)
        for (int64_t p = SHARE(pairs, part, parts); p < SHARE(pairs, part + 1, parts); p++)
            for (int w = 0; w < half; w++) {
                const number *restrict up = x + (p * 2 * width + 2 * w) * C;
                const number *restrict down = up + (int64_t)width * C;
                number *out = y + (p * half + w) * C;
                PREFETCH(up, 2 * C);
                PREFETCH(down, 2 * C);
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float z0 = load(up[c]) * a[c] + b[c], z1 = load(up[C + c]) * a[c] + b[c];
                    float z2 = load(down[c]) * a[c] + b[c], z3 = load(down[C + c]) * a[c] + b[c];
                    float m = larger(larger(z0, z1), larger(z2, z3));
                    out[c] = store(m < 0 ? 0 : m);
                }
            }
}

/* sums[part][0][c] = sum of g, sums[part][1][c] = sum of g (x - mean), where g is the gradient
 * that reaches the normalised value through pool and ReLU. With a shortcut, which is not kept, the
 * result y says what the ReLU let through, and `dshortcut` is filled with g; else both are NULL. */
static void backward_sums(const number *restrict x, const number *restrict dy,
                          const number *restrict y, const float *restrict a,
                          const float *restrict b, const float *restrict mean, double *sums,
                          number *restrict dshortcut, int64_t rows, int width, int C, int parts) {
    int64_t units = width ? rows / width / 2 : rows;
    int half = width / 2;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        double *total = sums + (int64_t)part * 2 * C;
        memset(total, 0, sizeof(double) * 2 * C);
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        int64_t block = width ? 4 : BLOCK;
        for (int64_t u = begin; u < end; u += block) {
            float first[MAX_CHANNELS], second[MAX_CHANNELS];
            memset(first, 0, sizeof(float) * C);
            memset(second, 0, sizeof(float) * C);
            int64_t last = u + block < end ? u + block : end;
            for (int64_t r = u; r < last; r++) {
                if (y) {
                    const number *restrict in = x + r * C, *grad = dy + r * C, *out = y + r * C;
                    PREFETCH(in, C);
                    PREFETCH(grad, C);
                    PREFETCH(out, C);
#pragma omp simd
                    for (int c = 0; c < C; c++) {
                        number passed = load(out[c]) > 0 ? grad[c] : 0;
                        dshortcut[r * C + c] = passed;
                        first[c] += load(passed);
                        second[c] += load(passed) * (load(in[c]) - mean[c]);
                    }
                    continue;
                }
                if (!width) {
                    const number *restrict in = x + r * C, *grad = dy + r * C;
                    PREFETCH(in, C);
                    PREFETCH(grad, C);
#pragma omp simd
                    for (int c = 0; c < C; c++) {
                        float value = load(in[c]);
                        float g = value * a[c] + b[c] > 0 ? load(grad[c]) : 0;
                        first[c] += g;
                        second[c] += g * (value - mean[c]);
                    }
                    continue;
                }
                for (int w = 0; w < half; w++) {
                    const number *restrict up = x + (r * 2 * width + 2 * w) * C;
                    const number *restrict down = up + (int64_t)width * C;
                    const number *restrict grad = dy + (r * half + w) * C;
                    PREFETCH(up, 2 * C);
                    PREFETCH(down, 2 * C);
#pragma omp simd
                    for (int c = 0; c < C; c++) {
                        float x0 = load(up[c]), x1 = load(up[C + c]);
                        float x2 = load(down[c]), x3 = load(down[C + c]);
                        float z = x0 * a[c] + b[c], best = x0, t;
                        t = x1 * a[c] + b[c]; best = t > z ? x1 : best; z = t > z ? t : z;
                        t = x2 * a[c] + b[c]; best = t > z ? x2 : best; z = t > z ? t : z;
                        t = x3 * a[c] + b[c]; best = t > z ? x3 : best; z = t > z ? t : z;
                        float g = z > 0 ? load(grad[c]) : 0;
                        first[c] += g;
                        second[c] += g * (best - mean[c]);
                    }
                }
            }
#pragma omp simd
            for (int c = 0; c < C; c++) {
                total[c] += first[c];
                total[C + c] += second[c];
            }
        }
    }
}

/* dx = a g - p - q x, with a = gamma * rstd and p, q from the sums: all of them per channel. With
 * `passed`, dy is g already. */
static void backward(const number *restrict x, const number *restrict dy, int passed,
                     const float *restrict a, const float *restrict b, const float *restrict p,
                     const float *restrict q, number *restrict dx, int64_t rows, int width, int C,
                     int parts) {
    int64_t units = width ? rows / width / 2 : rows;
    int half = width / 2;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t begin = SHARE(units, part, parts), end = SHARE(units, part + 1, parts);
        for (int64_t r = begin; r < end; r++) {
            if (!width) {
                const number *restrict in = x + r * C, *grad = dy + r * C;
                number *out = dx + r * C;
                PREFETCH(in, C);
                PREFETCH(grad, C);
                if (passed) {
#pragma omp simd
                    for (int c = 0; c < C; c++)
                        out[c] = store(a[c] * load(grad[c]) - p[c] - q[c] * load(in[c]));
                    continue;
                }
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float value = load(in[c]);
                    float g = value * a[c] + b[c] > 0 ? load(grad[c]) : 0;
                    out[c] = store(a[c] * g - p[c] - q[c] * value);
                }
                continue;
            }
            for (int w = 0; w < half; w++) {
                int64_t at = (r * 2 * width + 2 * w) * C, below = at + (int64_t)width * C;
                const number *restrict grad = dy + (r * half + w) * C;
                PREFETCH(x + at, 2 * C);
                PREFETCH(x + below, 2 * C);
#pragma omp simd
                for (int c = 0; c < C; c++) {
                    float x0 = load(x[at + c]), x1 = load(x[at + C + c]);
                    float x2 = load(x[below + c]), x3 = load(x[below + C + c]);
                    float z0 = x0 * a[c] + b[c], z1 = x1 * a[c] + b[c];
                    float z2 = x2 * a[c] + b[c], z3 = x3 * a[c] + b[c];
                    float m = z0 > z1 ? z0 : z1, n = z2 > z3 ? z2 : z3;
                    m = m > n ? m : n;
                    /* The first of equal maxima takes the gradient, as in PyTorch. */
                    float slope = a[c] * load(grad[c]), g = m > 0 ? slope : 0;
                    float g0 = z0 == m ? g : 0; g = z0 == m ? 0 : g;
                    float g1 = z1 == m ? g : 0; g = z1 == m ? 0 : g;
                    float g2 = z2 == m ? g : 0; g = z2 == m ? 0 : g;
                    dx[at + c] = store(g0 - p[c] - q[c] * x0);
                    dx[at + C + c] = store(g1 - p[c] - q[c] * x1);
                    dx[below + c] = store(g2 - p[c] - q[c] * x2);
                    dx[below + C + c] = store(g - p[c] - q[c] * x3);
                }
            }
        }
    }
}

/* Forward in training. saved: float (4, C), filled with a, b, mean and 1 / standard deviation,
 * where y = relu(a x + b); sums: room for double (parts, 2, C). The running statistics move by
 * `momentum`, the variance unbiased, as in PyTorch. */
void forward_training(const number *x, const number *shortcut, const float *gamma, const float *beta,
                      float *running_mean, float *running_variance, float momentum, float epsilon,
                      float *saved, double *sums, number *y, int64_t rows, int width, int C,
                      int parts) {
    float *a = saved, *b = saved + C, *mean = saved + 2 * C;
    for (int c = 0; c < C; c++) mean[c] = load(x[c]); /* the pivot, for now */
    statistics(x, mean, sums, rows, C, parts);
    normalise(sums, gamma, beta, running_mean, running_variance, momentum, epsilon, saved, rows, C,
              parts);
    forward(x, shortcut, a, b, y, rows, width, C, parts);
}

/* Backward of forward_training: dx, and dgamma and dbeta, float (C); with a shortcut, of which y is
 * given, dshortcut. room: float (2, C). */
void backward_training(const number *x, const number *dy, const number *y, const float *saved,
                       double *sums, float *room, number *dx, number *dshortcut, float *dgamma,
                       float *dbeta, int64_t rows, int width, int C, int parts) {
    const float *a = saved, *b = saved + C, *mean = saved + 2 * C;
    float *p = room, *q = room + C;
    backward_sums(x, dy, y, a, b, mean, sums, dshortcut, rows, width, C, parts);
    normalise_backward(sums, saved, p, q, dgamma, dbeta, rows, C, parts);
    backward(x, y ? dshortcut : dy, y != NULL, a, b, p, q, dx, rows, width, C, parts);
}
