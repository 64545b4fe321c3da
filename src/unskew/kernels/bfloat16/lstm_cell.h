/* The state of an LSTM layer at one step, forward and backward, for 16 units of a row; shared by
 * those who multiply in registers and in tiles.
 *
 * T steps, B rows (sequences), I inputs, H units, K = I + H.
 *   xh     bf16 (T + 1, B, K): x_t beside h_{t-1}; the forward writes the h's
 *   cells  float (B, H), of the step at hand
 *   kept   bf16 (T, B, H / 16, 6, 16), by what the backward multiplies: of 16 units together, so that
 *          whole lines of the cache are written and read
 *   dgates bf16 (T, B, 4, H), gradients before activation
 */
#pragma once

#include "exponential.h"

/* 1 / (1 + exp(-x)), to 6e-5 of it: a thirtieth of the rounding to bfloat16 that follows. */
INLINE __m512 logistic(__m512 x) {
    __m512 y = power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)));
    return _mm512_rcp14_ps(_mm512_add_ps(y, _mm512_set1_ps(1.0f)));
}
/* tanh x = 2 / (1 + exp(-2 x)) - 1, where near 0 every bit of the quotient counts. */
INLINE __m512 hyperbolic(__m512 x) {
    __m512 y = _mm512_mul_ps(x, _mm512_set1_ps(-2.88539008f));
    /* Newton's step has no answer at infinity; in this order of operands a NaN stays one. */
    y = power_of_two(_mm512_min_ps(_mm512_set1_ps(126.0f), y));
    __m512 below = _mm512_add_ps(y, _mm512_set1_ps(1.0f));
    __m512 guess = _mm512_rcp14_ps(below); /* one step of Newton's from 14 bits to fp32 */
    __m512 quotient = _mm512_mul_ps(guess, _mm512_fnmadd_ps(below, guess, _mm512_set1_ps(2.0f)));
    return _mm512_fmsub_ps(_mm512_set1_ps(2.0f), quotient, _mm512_set1_ps(1.0f));
}

/* By their values: s (1 - s) and 1 - h^2. */
INLINE __m512 logistic_slope(__m512 s) { return _mm512_fnmadd_ps(s, s, s); }
INLINE __m512 hyperbolic_slope(__m512 h) { return _mm512_fnmadd_ps(h, h, _mm512_set1_ps(1.0f)); }

typedef struct {
    bf16 *xh;
    const bf16 *weights;
    const float *bias;
    bf16 *kept; /* NULL in prediction */
    float *cells;
    int64_t T, B, I, H;
} Forward;

#define KEPT 6 /* numbers of a unit and step */

INLINE void keep(bf16 *to, __m512 first, __m512 second) {
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
#ifdef PAST_CACHES
    _mm512_stream_si512((void *)to, both);
#else
    _mm512_store_si512(to, both);
#endif
}

/* The four gates by their sums, bias included. */
INLINE void activate(__m512 gates[4]) {
    gates[0] = logistic(gates[0]);
    gates[1] = logistic(gates[1]);
    gates[2] = hyperbolic(gates[2]);
    gates[3] = logistic(gates[3]);
}

/* From the four gates to the next cell state and output. */
INLINE void next_state(const Forward *s, int64_t t, int64_t row, int64_t unit,
                       const __m512 gates[4]) {
    int64_t K = s->I + s->H, B = s->B, H = s->H;
    float *state = s->cells + row * H + unit;
    __m512 before = t ? _mm512_loadu_ps(state) : _mm512_setzero_ps();
    __m512 i = gates[0], f = gates[1], g = gates[2], o = gates[3];
    __m512 cell = _mm512_fmadd_ps(f, before, _mm512_mul_ps(i, g)), squashed = hyperbolic(cell);
    _mm512_storeu_ps(state, cell);
    store(s->xh + ((t + 1) * B + row) * K + s->I + unit, _mm512_mul_ps(o, squashed));
    if (!s->kept) return;
    bf16 *kept = s->kept + ((t * B + row) * H + unit) * KEPT;
    keep(kept, _mm512_mul_ps(g, logistic_slope(i)), _mm512_mul_ps(before, logistic_slope(f)));
    keep(kept + 32, _mm512_mul_ps(i, hyperbolic_slope(g)), _mm512_mul_ps(squashed, logistic_slope(o)));
    keep(kept + 64, _mm512_mul_ps(o, hyperbolic_slope(squashed)), f);
}

typedef struct {
    const bf16 *kept;
    const bf16 *dy; /* (T, B, H), gradients of the outputs */
    const bf16 *weights;
    bf16 *dgates;
    float *dcells; /* (B, H), of the step at hand */
    int64_t T, B, H;
} Backward;

/* From an output's gradient to those of the gates, which are added to `total` as well. To `dh`, what
 * came from the next step, that of the loss is added. */
INLINE void gate_gradients(const Backward *b, int64_t t, int64_t row, int64_t unit, __m512 dh,
                           __m512 total[4]) {
    int64_t H = b->H, at = t * b->B + row;
    float *dcells = b->dcells + row * H + unit;
    const bf16 *kept = b->kept + (at * H + unit) * KEPT;
    dh = _mm512_add_ps(dh, load(b->dy + at * H + unit));
    __m512 dcell = _mm512_mul_ps(dh, load(kept + 64));
    if (t + 1 < b->T) dcell = _mm512_add_ps(dcell, _mm512_loadu_ps(dcells));
    _mm512_storeu_ps(dcells, _mm512_mul_ps(dcell, load(kept + 80)));
    __m512 d[4] = {_mm512_mul_ps(dcell, load(kept)), _mm512_mul_ps(dcell, load(kept + 16)),
                   _mm512_mul_ps(dcell, load(kept + 32)), _mm512_mul_ps(dh, load(kept + 48))};
    bf16 *out = b->dgates + at * 4 * H + unit;
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; gate++) {
        store(out + gate * H, d[gate]);
        total[gate] = _mm512_add_ps(total[gate], d[gate]);
    }
}

/* What was added up of 16 units over some rows, to sums (4, H). */
INLINE void add_total(float *dbias, int64_t unit, int64_t H, const __m512 total[4]) {
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; gate++) {
        float *sum = dbias + gate * H + unit;
        _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), total[gate]));
    }
}

/* Pairs of neighbouring inputs, unit by unit: packed (H / 16, K / 2, 4, 16, 2) from the weights
 * W_ih (4 H, I) and W_hh (4 H, H). */
void pack_forward(const bf16 *input, const bf16 *hidden, bf16 *packed, int64_t I, int64_t H) {
    int64_t K = I + H;
    for (int64_t panel = 0; panel < H / 16; panel++)
        for (int64_t k = 0; k < K / 2; k++)
            for (int64_t gate = 0; gate < 4; gate++) {
                int64_t unit = gate * H + panel * 16;
                int own = 2 * k < I;
                const bf16 *from = own ? input + unit * I + 2 * k : hidden + unit * H + 2 * k - I;
                _mm512_storeu_si512(packed + ((panel * (K / 2) + k) * 4 + gate) * 32,
                                    neighbours(from, (own ? I : H) * 2));
            }
}

/* Pairs of neighbouring gates: packed (H / 64, 4 H / 2, 4, 16, 2) from W_hh (4 H, H). */
void pack_backward(const bf16 *hidden, bf16 *packed, int64_t H) {
    for (int64_t panel = 0; panel < H / 64; panel++)
        for (int64_t k = 0; k < 2 * H; k++)
            for (int64_t j = 0; j < 4; j++) {
                const bf16 *even = hidden + 2 * k * H + panel * 64 + j * 16, *odd = even + H;
                _mm512_storeu_si512(packed + ((panel * 2 * H + k) * 4 + j) * 32, paired(even, odd));
            }
}
