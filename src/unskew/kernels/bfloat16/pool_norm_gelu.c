/* A 2x2 max-pool if wanted, batch normalisation and GELU, forward and backward, for images stored
 * channels last, in bfloat16 with sums in fp32.
 *
 * On a CPU these cost a fifth of such a network's step when each reads and writes the whole
 * activation. Here the forward pools and sums in one pass and normalises in a second one over a
 * quarter of the pixels; of a pool one byte a result is kept, which of the four was the largest.
 *
 * GELU(z) = z Phi(z), Hendrycks & Gimpel 2016, with the normal distribution Phi by Abramowitz &
 * Stegun 1964, 7.1.26. Sums are taken in fp32 over blocks of rows and added up in double, in an
 * order that depends on the number of threads alone.
 *
 * B images of H x W pixels, C channels (a multiple of 16). With a pool the results have
 * h = H / 2 rows of w = W / 2 pixels, whole numbers: an odd last row or column goes nowhere, as in
 * PyTorch. Without one h = H, w = W, `pooled` is x itself and `chosen` NULL.
 *   x  bf16 (B, H, W, C);  pooled, y, dy  bf16 (B, h, w, C);  chosen  uint8 (B, h, w, C)
 */
#include <string.h>

#include "../batch_norm.h"
#include "../pool_norm_gelu.h"
#include "exponential.h"

/* Phi(z) and its density. */
INLINE __m512 normal(__m512 z, __m512 *density) {
    __m512 square = _mm512_mul_ps(z, z);
    __m512 e = power_of_two(_mm512_mul_ps(square, _mm512_set1_ps(-0.72134752f)));
    __m512 size = _mm512_abs_ps(z);
    __m512 t = _mm512_rcp14_ps(
        _mm512_fmadd_ps(size, _mm512_set1_ps(0.3275911f * 0.70710678f), _mm512_set1_ps(1.0f)));
    __m512 p = _mm512_set1_ps(1.061405429f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
    __m512 beyond = _mm512_mul_ps(_mm512_mul_ps(p, t), _mm512_mul_ps(e, _mm512_set1_ps(0.5f)));
    *density = _mm512_mul_ps(e, _mm512_set1_ps(0.39894228f));
    __mmask16 below = _mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_mov_ps(_mm512_sub_ps(_mm512_set1_ps(1.0f), beyond), below, beyond);
}

INLINE __m512 gelu(__m512 z) {
    __m512 density;
    return _mm512_mul_ps(z, normal(z, &density));
}

/* The largest of four, the first of equal ones, and which it was; a NaN is larger than all. */
INLINE __m512 largest(const bf16 *up, const bf16 *down, int64_t C, __m512i *which) {
    __m512 others[3] = {load(up + C), load(down), load(down + C)}, best = load(up);
    *which = _mm512_setzero_si512();
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        __mmask16 larger = _mm512_cmp_ps_mask(others[i], best, _CMP_GT_OQ) |
                           _mm512_cmp_ps_mask(others[i], others[i], _CMP_UNORD_Q);
        best = _mm512_mask_mov_ps(best, larger, others[i]);
        *which = _mm512_mask_mov_epi32(*which, larger, _mm512_set1_epi32(i + 1));
    }
    return best;
}

/* The value before normalisation of pixel `j` in row `unit` of the results, 16 channels. */
INLINE __m512 pooled_value(const Shape *s, const bf16 *x, int64_t unit, int64_t j, int64_t c,
                           __m512i *which) {
    int64_t image = unit / s->h, row = unit % s->h * 2;
    const bf16 *up = x + ((image * s->H + row) * s->W + 2 * j) * s->C + c;
    return largest(up, up + s->W * s->C, s->C, which);
}

INLINE void accumulate(Block *block, int64_t c, __m512 value, __m512 factor) {
    float *values = block->values + c, *products = block->products + c;
    _mm512_storeu_ps(values, _mm512_add_ps(_mm512_loadu_ps(values), value));
    _mm512_storeu_ps(products, _mm512_fmadd_ps(value, factor, _mm512_loadu_ps(products)));
}

/* sums[part][0][c] = sum of v - pivot, sums[part][1][c] = sum of (v - pivot)^2 over all results
 * before normalisation, which `pooled` and `chosen` are filled with where there is a pool. */
static void statistics(const Shape *s, const bf16 *x, const float *pivot, double *sums,
                       bf16 *pooled, uint8_t *chosen) {
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
                    for (int64_t c = 0; c < C; c += 16) {
                        int64_t at = (unit * s->w + j) * C + c;
                        __m512 value;
                        if (chosen) {
                            __m512i which;
                            value = pooled_value(s, x, unit, j, c, &which);
                            store(pooled + at, value);
                            _mm_storeu_si128((__m128i *)(chosen + at),
                                             _mm512_cvtepi32_epi8(which));
                        } else {
                            value = load(x + at);
                        }
                        value = _mm512_sub_ps(value, _mm512_loadu_ps(pivot + c));
                        accumulate(&block, c, value, value);
                    }
            add_up(total, &block, C);
        }
    }
}

/* y = gelu(a v + b); v is taken from `pooled` or, if that is NULL, pooled from x. */
static void activate(const Shape *s, const bf16 *x, const bf16 *pooled, const float *a,
                     const float *b, bf16 *y) {
    int64_t units = s->B * s->h, C = s->C;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++)
        for (int64_t unit = SHARE(units, part, s->parts); unit < SHARE(units, part + 1, s->parts);
             unit++)
            for (int64_t j = 0; j < s->w; j++)
                for (int64_t c = 0; c < C; c += 16) {
                    int64_t at = (unit * s->w + j) * C + c;
                    __m512i which;
                    __m512 v = pooled ? load(pooled + at) : pooled_value(s, x, unit, j, c, &which);
                    store(y + at, gelu(_mm512_fmadd_ps(v, _mm512_loadu_ps(a + c),
                                                       _mm512_loadu_ps(b + c))));
                }
}

/* Forward in training. saved: float (4, C), filled with a, b, mean and 1 / standard deviation;
 * sums: room for double (parts, 2, C). The running statistics move by `momentum`, the variance
 * unbiased, as in PyTorch. pooled and chosen: room to be filled, NULL without a pool. */
void forward_training(const bf16 *x, const float *gamma, const float *beta, float *running_mean,
                      float *running_variance, float momentum, float epsilon, float *saved,
                      double *sums, bf16 *pooled, uint8_t *chosen, bf16 *y, int64_t B, int64_t H,
                      int64_t W, int64_t C, int parts) {
    Shape s = shape_of(B, H, W, C, chosen != NULL, parts);
    int64_t rows = B * s.h * s.w;
    float *mean = saved + 2 * C;
    /* The pivot, for now: one of the values, so that squares of large numbers do not cancel. */
    for (int64_t c = 0; c < C; c += 16) _mm512_storeu_ps(mean + c, load(x + c));
    statistics(&s, x, mean, sums, pooled, chosen);
    normalise(sums, gamma, beta, running_mean, running_variance, momentum, epsilon, saved, rows, C,
              parts);
    activate(&s, x, chosen ? pooled : x, saved, saved + C, y);
}

/* Prediction with what normalises given as y = gelu(a v + b). */
void forward(const bf16 *x, const float *a, const float *b, bf16 *y, int pool, int64_t B,
             int64_t H, int64_t W, int64_t C, int parts) {
    Shape s = shape_of(B, H, W, C, pool, parts);
    activate(&s, x, pool ? NULL : x, a, b, y);
}

/* through = dy gelu'(a v + b), in bfloat16; sums[part][0][c] = its sum, sums[part][1][c] = the sum
 * of its products with v - mean, both before rounding. */
static void through_gelu(const Shape *s, const bf16 *pooled, const bf16 *dy, const float *a,
                         const float *b, const float *mean, double *sums, bf16 *through) {
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
                for (int64_t c = 0; c < C; c += 16) {
                    int64_t at = pixel * C + c;
                    __m512 v = load(pooled + at), density;
                    __m512 z = _mm512_fmadd_ps(v, _mm512_loadu_ps(a + c), _mm512_loadu_ps(b + c));
                    __m512 probability = normal(z, &density);
                    __m512 slope = _mm512_fmadd_ps(z, density, probability);
                    __m512 g = _mm512_mul_ps(load(dy + at), slope);
                    __m512 offset = _mm512_sub_ps(v, _mm512_loadu_ps(mean + c));
                    store(through + at, g);
                    accumulate(&block, c, g, offset);
                }
            add_up(total, &block, C);
        }
    }
}

/* The gradient of 16 pooled values to those of the four that were the largest, zero to the rest. */
INLINE void scatter(bf16 *up, bf16 *down, int64_t C, __m512 value, const uint8_t *chosen) {
    __m512i which = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)chosen));
    bf16 *to[4] = {up, up + C, down, down + C};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __mmask16 own = _mm512_cmpeq_epi32_mask(which, _mm512_set1_epi32(i));
        store(to[i], _mm512_maskz_mov_ps(own, value));
    }
}

/* dv = a g - p - q v, with p and q from the sums, all per channel; dx = dv, or scattered. */
static void through_norm(const Shape *s, const bf16 *pooled, const uint8_t *chosen,
                         const bf16 *through, const float *a, const float *p, const float *q,
                         bf16 *dx) {
    int64_t units = s->B * s->h, C = s->C, W = s->W;
#pragma omp parallel for num_threads(s->parts) schedule(static, 1)
    for (int part = 0; part < s->parts; part++)
        for (int64_t unit = SHARE(units, part, s->parts); unit < SHARE(units, part + 1, s->parts);
             unit++) {
            int64_t image = unit / s->h, row = unit % s->h * 2;
            bf16 *up = dx + (image * s->H + row) * W * C, *down = up + W * C;
            for (int64_t j = 0; j < s->w; j++)
                for (int64_t c = 0; c < C; c += 16) {
                    int64_t at = (unit * s->w + j) * C + c;
                    __m512 value = _mm512_fmsub_ps(_mm512_loadu_ps(a + c), load(through + at),
                                                   _mm512_loadu_ps(p + c));
                    value = _mm512_fnmadd_ps(_mm512_loadu_ps(q + c), load(pooled + at), value);
                    if (chosen) {
                        int64_t first = 2 * j * C + c;
                        scatter(up + first, down + first, C, value, chosen + at);
                    } else {
                        store(dx + at, value);
                    }
                }
            if (!chosen) continue;
            size_t pixel = sizeof(bf16) * C;
            if (W % 2) { /* what no pool has seen */
                memset(up + (W - 1) * C, 0, pixel);
                memset(down + (W - 1) * C, 0, pixel);
            }
            if (row + 3 == s->H) memset(down + W * C, 0, pixel * W);
        }
}

/* Backward of forward_training: dx, and dgamma and dbeta, float (C). through: room for bf16 shaped
 * as y, dx itself where there is no pool; room: float (2, C). */
void backward_training(const bf16 *pooled, const uint8_t *chosen, const bf16 *dy,
                       const float *saved, double *sums, float *room, bf16 *through, bf16 *dx,
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
