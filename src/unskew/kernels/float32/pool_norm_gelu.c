/* A 2x2 max-pool if wanted, batch normalisation and GELU, forward and backward, for images stored
 * channels last, in float32.
 *
 * On a CPU these cost a fifth of such a network's step when each reads and writes the whole
 * activation. Here the forward pools and sums in one pass and normalises in a second one over a
 * quarter of the pixels; of a pool one byte a result is kept, which of the four was the largest.
 *
 * GELU(z) = z Phi(z), Hendrycks & Gimpel 2016, with the normal distribution Phi by Abramowitz &
 * Stegun 1964, 7.1.26. Sums are taken in fp32 over blocks of rows and added up in double, in an
 * order that depends on the number of threads alone.
 *
 * B images of H x W pixels, C channels (a multiple of LANES). With a pool the results have
 * h = H / 2 rows of w = W / 2 pixels, whole numbers: an odd last row or column goes nowhere, as in
 * PyTorch. Without one h = H, w = W, `pooled` is x itself and `chosen` NULL.
 *   x  float (B, H, W, C);  pooled, y, dy  float (B, h, w, C);  chosen  uint8 (B, h, w, C)
 */
#include <string.h>

#include "../batch_norm.h"
#include "../pool_norm_gelu.h"
#include "exponential.h"

typedef uint8_t Bytes __attribute__((vector_size(LANES), aligned(1), may_alias));

INLINE VI load_bytes(const uint8_t *from) {
    return __builtin_convertvector(*(const Bytes *)from, VI);
}
INLINE void store_bytes(uint8_t *to, VI values) {
    *(Bytes *)to = __builtin_convertvector(values, Bytes);
}

/* Phi(z) and its density. */
INLINE V normal(V z, V *density) {
    V e = power_of_two(-0.72134752f * z * z), size = where(z < 0.0f, -z, z);
    V t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * size);
    V p = 1.421413741f + t * (-1.453152027f + t * 1.061405429f);
    p = 0.254829592f + t * (-0.284496736f + t * p);
    V beyond = p * t * (0.5f * e);
    *density = 0.39894228f * e;
    return where(z < 0.0f, beyond, 1.0f - beyond);
}

INLINE V gelu(V z) {
    V density;
    return z * normal(z, &density);
}

/* The largest of four, the first of equal ones, and which it was; a NaN is larger than all. */
INLINE V largest(const float *up, const float *down, int64_t C, VI *which) {
    V others[3] = {load(up + C), load(down), load(down + C)}, best = load(up);
    *which = (VI){0};
    for (int i = 0; i < 3; i++) {
        VI larger = (others[i] > best) | (others[i] != others[i]);
        best = where(larger, others[i], best);
        *which = (larger & (i + 1)) | (~larger & *which);
    }
    return best;
}

/* The value before normalisation of pixel `j` in row `unit` of the results, LANES channels. */
INLINE V pooled_value(const Shape *s, const float *x, int64_t unit, int64_t j, int64_t c,
                     VI *which) {
    int64_t image = unit / s->h, row = unit % s->h * 2;
    const float *up = x + ((image * s->H + row) * s->W + 2 * j) * s->C + c;
    return largest(up, up + s->W * s->C, s->C, which);
}

INLINE void accumulate(Block *block, int64_t c, V value, V factor) {
    float *values = block->values + c, *products = block->products + c;
    store(values, load(values) + value);
    store(products, load(products) + value * factor);
}

/* sums[part][0][c] = sum of v - pivot, sums[part][1][c] = sum of (v - pivot)^2 over all results
 * before normalisation, which `pooled` and `chosen` are filled with where there is a pool. */
static void statistics(const Shape *s, const float *x, const float *pivot, double *sums,
                       float *pooled, uint8_t *chosen) {
    int64_t units = s->B * s->h, C = s->C;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++) {
        double *total = no_sums_yet(sums, part, C);
        int64_t end = SHARE(units, part + 1, s->parts);
        for (int64_t begin = SHARE(units, part, s->parts); begin < end; begin += BLOCK) {
            Block block;
            clear(&block, C);
            int64_t last = begin + BLOCK < end ? begin + BLOCK : end;
            for (int64_t unit = begin; unit < last; unit++)
                for (int64_t j = 0; j < s->w; j++)
                    for (int64_t c = 0; c < C; c += LANES) {
                        int64_t at = (unit * s->w + j) * C + c;
                        V value;
                        if (chosen) {
                            VI which;
                            value = pooled_value(s, x, unit, j, c, &which);
                            store(pooled + at, value);
                            store_bytes(chosen + at, which);
                        } else {
                            value = load(x + at);
                        }
                        value -= load(pivot + c);
                        accumulate(&block, c, value, value);
                    }
            add_up(total, &block, C);
        }
    }
}

/* y = gelu(a v + b); v is taken from `pooled` or, if that is NULL, pooled from x. */
static void activate(const Shape *s, const float *x, const float *pooled, const float *a,
                     const float *b, float *y) {
    int64_t units = s->B * s->h, C = s->C;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++)
        for (int64_t unit = SHARE(units, part, s->parts); unit < SHARE(units, part + 1, s->parts);
             unit++)
            for (int64_t j = 0; j < s->w; j++)
                for (int64_t c = 0; c < C; c += LANES) {
                    int64_t at = (unit * s->w + j) * C + c;
                    VI which;
                    V v = pooled ? load(pooled + at) : pooled_value(s, x, unit, j, c, &which);
                    store(y + at, gelu(v * load(a + c) + load(b + c)));
                }
}

/* Forward in training. saved: float (4, C), filled with a, b, mean and 1 / standard deviation;
 * sums: room for double (parts, 2, C). The running statistics move by `momentum`, the variance
 * unbiased, as in PyTorch. pooled and chosen: room to be filled, NULL without a pool. */
void forward_training(const float *x, const float *gamma, const float *beta, float *running_mean,
                      float *running_variance, float momentum, float epsilon, float *saved,
                      double *sums, float *pooled, uint8_t *chosen, float *y, int64_t B, int64_t H,
                      int64_t W, int64_t C, int parts) {
    Shape s = shape_of(B, H, W, C, chosen != NULL, parts);
    int64_t rows = B * s.h * s.w;
    float *mean = saved + 2 * C;
    /* The pivot, for now: one of the values, so that squares of large numbers do not cancel. */
    for (int64_t c = 0; c < C; c += LANES) store(mean + c, load(x + c));
    statistics(&s, x, mean, sums, pooled, chosen);
    normalise(sums, gamma, beta, running_mean, running_variance, momentum, epsilon, saved, rows, C,
              parts);
    activate(&s, x, chosen ? pooled : x, saved, saved + C, y);
}

/* Prediction with what normalises given as y = gelu(a v + b). */
void forward(const float *x, const float *a, const float *b, float *y, int pool, int64_t B,
             int64_t H, int64_t W, int64_t C, int parts) {
    Shape s = shape_of(B, H, W, C, pool, parts);
    activate(&s, x, pool ? NULL : x, a, b, y);
}

/* through = dy gelu'(a v + b); sums[part][0][c] = its sum, sums[part][1][c] = the sum of its products
 * with v - mean. */
static void through_gelu(const Shape *s, const float *pooled, const float *dy, const float *a,
                         const float *b, const float *mean, double *sums, float *through) {
    int64_t units = s->B * s->h, C = s->C;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++) {
        double *total = no_sums_yet(sums, part, C);
        int64_t end = SHARE(units, part + 1, s->parts);
        for (int64_t begin = SHARE(units, part, s->parts); begin < end; begin += BLOCK) {
            Block block;
            clear(&block, C);
            int64_t last = begin + BLOCK < end ? begin + BLOCK : end;
            for (int64_t pixel = begin * s->w; pixel < last * s->w; pixel++)
                for (int64_t c = 0; c < C; c += LANES) {
                    int64_t at = pixel * C + c;
                    V v = load(pooled + at), z = v * load(a + c) + load(b + c), density;
                    V probability = normal(z, &density);
                    V g = load(dy + at) * (probability + z * density);
                    store(through + at, g);
                    accumulate(&block, c, g, v - load(mean + c));
                }
            add_up(total, &block, C);
        }
    }
}

/* The gradient of LANES pooled values to those of the four that were the largest, zero to the rest. */
INLINE void scatter(float *up, float *down, int64_t C, V value, const uint8_t *chosen) {
    VI which = load_bytes(chosen);
    float *to[4] = {up, up + C, down, down + C};
    for (int i = 0; i < 4; i++) store(to[i], (V)((which == i) & (VI)value));
}

/* dv = a g - p - q v, with p and q from the sums, all per channel; dx = dv, or scattered. */
static void through_norm(const Shape *s, const float *pooled, const uint8_t *chosen,
                         const float *through, const float *a, const float *p, const float *q,
                         float *dx) {
    int64_t units = s->B * s->h, C = s->C, W = s->W;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++)
        for (int64_t unit = SHARE(units, part, s->parts); unit < SHARE(units, part + 1, s->parts);
             unit++) {
            int64_t image = unit / s->h, row = unit % s->h * 2;
            float *up = dx + (image * s->H + row) * W * C, *down = up + W * C;
            for (int64_t j = 0; j < s->w; j++)
                for (int64_t c = 0; c < C; c += LANES) {
                    int64_t at = (unit * s->w + j) * C + c;
                    V value = load(a + c) * load(through + at) - load(p + c);
                    value -= load(q + c) * load(pooled + at);
                    if (chosen) {
                        int64_t first = 2 * j * C + c;
                        scatter(up + first, down + first, C, value, chosen + at);
                    } else {
                        store(dx + at, value);
                    }
                }
            if (!chosen) continue;
            size_t pixel = sizeof(float) * C;
            if (W % 2) { /* what no pool has seen */
                memset(up + (W - 1) * C, 0, pixel);
                memset(down + (W - 1) * C, 0, pixel);
            }
            if (row + 3 == s->H) memset(down + W * C, 0, pixel * W);
        }
}

/* Backward of forward_training: dx, and dgamma and dbeta, float (C). through: room for float shaped
 * as y, dx itself where there is no pool; room: float (2, C). */
void backward_training(const float *pooled, const uint8_t *chosen, const float *dy,
                       const float *saved, double *sums, float *room, float *through, float *dx,
                       float *dgamma, float *dbeta, int64_t B, int64_t H, int64_t W, int64_t C,
                       int parts) {
    Shape s = shape_of(B, H, W, C, chosen != NULL, parts);
    int64_t rows = B * s.h * s.w;
    const float *a = saved, *b = saved + C, *mean = saved + 2 * C;
    float *p = room, *q = room + C;
    through_gelu(&s, pooled, dy, a, b, mean, sums, through);
    normalise_backward(sums, saved, p, q, dgamma, dbeta, rows, C, parts);
    through_norm(&s, pooled, chosen, through, a, p, q, dx);
}
