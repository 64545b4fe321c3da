/* What is computed once a channel of a batch normalisation, between the passes over memory:
 * Ioffe & Szegedy 2015, algorithm 1 and the gradients of section 3. */
#include <math.h>
#include <stdint.h>

/* Sum `which` (0 or 1) of channel c over all parts; sums is double (parts, 2, C). */
static double total_of(const double *sums, int which, int64_t c, int64_t C, int parts) {
    double total = 0;
    for (int part = 0; part < parts; part++) total += sums[((int64_t)part * 2 + which) * C + c];
    return total;
}

/* Any NaN as the usual one. Parameters may hold others, whose bits a rounding to bfloat16 would carry
 * over to a number; what was bfloat16 has none of these. */
static float usual(double value) { return value == value ? (float)value : NAN; }

/* From the sums of v - pivot and of its square over `rows` values v a channel. saved: float (4, C),
 * whose third row holds the pivot; filled with a, b, mean and 1 / standard deviation, where
 * a v + b is the normalised value. The running statistics, if there are any, move by `momentum`,
 * the variance unbiased, as in PyTorch. */
static void normalise(const double *sums, const float *gamma, const float *beta,
                      float *running_mean, float *running_variance, float momentum, float epsilon,
                      float *saved, int64_t rows, int64_t C, int parts) {
    float *a = saved, *b = saved + C, *mean = saved + 2 * C, *inverse = saved + 3 * C;
    for (int64_t c = 0; c < C; c++) {
        double shift = total_of(sums, 0, c, C, parts) / rows;
        double variance = total_of(sums, 1, c, C, parts) / rows - shift * shift;
        /* Where the values hardly differ and lie far from the pivot, rounding may end below 0. */
        if (variance < 0) variance = 0;
        double m = mean[c] + shift;
        double scale = 1 / sqrt(variance + epsilon);
        mean[c] = (float)m;
        inverse[c] = (float)scale;
        a[c] = usual(gamma[c] * scale);
        b[c] = usual(beta[c] - m * gamma[c] * scale);
        if (!running_mean) continue;
        running_mean[c] += momentum * (float)(m - running_mean[c]);
        double unbiased = variance * rows / (rows - 1);
        running_variance[c] += momentum * (float)(unbiased - running_variance[c]);
    }
}

/* From the sums of g, the gradients of the normalised values, and of g (v - mean): dgamma, dbeta,
 * and p and q of dv = a g - p - q v, all float (C). */
static void normalise_backward(const double *sums, const float *saved, float *p, float *q,
                               float *dgamma, float *dbeta, int64_t rows, int64_t C, int parts) {
    const float *a = saved, *mean = saved + 2 * C, *inverse = saved + 3 * C;
    for (int64_t c = 0; c < C; c++) {
        double first = total_of(sums, 0, c, C, parts), second = total_of(sums, 1, c, C, parts);
        dbeta[c] = (float)first;
        dgamma[c] = (float)(second * inverse[c]);
        double slope = a[c] * second * inverse[c] * inverse[c] / rows;
        q[c] = (float)slope;
        p[c] = (float)(a[c] * first / rows - slope * mean[c]);
    }
}
