/* The state of an LSTM layer at one step, forward and backward, for 16 units of a row; shared by
 * those who multiply in registers and in tiles.
 *
 * T steps, B rows (sequences), I inputs, H units, K = I + H.
 *   xh     bf16 (T + 1, B, K): x_t beside h_{t-1}; the forward writes the h's
 *   gates  bf16 (T, B, 4, H), activated;  cells float (T, B, H)
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
    __m512 y = power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(-2.88539008f)));
    __m512 below = _mm512_add_ps(y, _mm512_set1_ps(1.0f));
    __m512 guess = _mm512_rcp14_ps(below); /* one step of Newton's from 14 bits to fp32 */
    __m512 quotient = _mm512_mul_ps(guess, _mm512_fnmadd_ps(below, guess, _mm512_set1_ps(2.0f)));
    return _mm512_fmsub_ps(_mm512_set1_ps(2.0f), quotient, _mm512_set1_ps(1.0f));
}

typedef struct {
    bf16 *xh;
    const bf16 *weights;
    const float *bias;
    bf16 *gates; /* NULL in prediction, where `cells` holds one step only */
    float *cells;
    int64_t T, B, I, H;
} Forward;

/* From the four gates' sums, bias included, to the next cell state and output. */
INLINE void next_state(const Forward *f, int64_t t, int64_t row, int64_t unit, __m512 si, __m512 sf,
                       __m512 sg, __m512 so) {
    int64_t K = f->I + f->H, B = f->B, H = f->H, at = row * H + unit;
    const float *before = f->cells + (t && f->gates ? (t - 1) * B * H : 0);
    float *now = f->cells + (f->gates ? t * B * H : 0);
    __m512 i = logistic(si), forget = logistic(sf), g = hyperbolic(sg), o = logistic(so);
    __m512 cell = _mm512_mul_ps(i, g);
    if (t) cell = _mm512_fmadd_ps(forget, _mm512_loadu_ps(before + at), cell);
    _mm512_storeu_ps(now + at, cell);
    store(f->xh + ((t + 1) * B + row) * K + f->I + unit, _mm512_mul_ps(o, hyperbolic(cell)));
    if (!f->gates) return;
    bf16 *kept = f->gates + (t * B + row) * 4 * H + unit;
    store(kept, i);
    store(kept + H, forget);
    store(kept + 2 * H, g);
    store(kept + 3 * H, o);
}

typedef struct {
    const bf16 *gates;
    const float *cells;
    const bf16 *dy; /* (T, B, H), gradients of the outputs */
    const bf16 *weights;
    bf16 *dgates;
    float *dcells; /* (B, H), of the step at hand */
    int64_t T, B, H;
} Backward;

/* From an output's gradient to those of the gates, which are added to `total` as well. */
INLINE void gate_gradients(const Backward *b, int64_t t, int64_t row, int64_t unit, __m512 dh,
                           __m512 total[4]) {
    int64_t B = b->B, H = b->H, at = row * H + unit;
    const __m512 one = _mm512_set1_ps(1.0f);
    const bf16 *kept = b->gates + (t * B + row) * 4 * H + unit;
    __m512 i = load(kept), f = load(kept + H), g = load(kept + 2 * H), o = load(kept + 3 * H);
    __m512 squashed = hyperbolic(_mm512_loadu_ps(b->cells + t * B * H + at));
    __m512 dcell =
        _mm512_mul_ps(_mm512_mul_ps(dh, o), _mm512_fnmadd_ps(squashed, squashed, one));
    if (t + 1 < b->T) dcell = _mm512_add_ps(dcell, _mm512_loadu_ps(b->dcells + at));
    __m512 before = t ? _mm512_loadu_ps(b->cells + (t - 1) * B * H + at) : _mm512_setzero_ps();
    _mm512_storeu_ps(b->dcells + at, _mm512_mul_ps(dcell, f));
    /* The logistic's slope is s (1 - s), that of tanh 1 - g^2. */
    __m512 d[4] = {
        _mm512_mul_ps(_mm512_mul_ps(dcell, g), _mm512_fnmadd_ps(i, i, i)),
        _mm512_mul_ps(_mm512_mul_ps(dcell, before), _mm512_fnmadd_ps(f, f, f)),
        _mm512_mul_ps(_mm512_mul_ps(dcell, i), _mm512_fnmadd_ps(g, g, one)),
        _mm512_mul_ps(_mm512_mul_ps(dh, squashed), _mm512_fnmadd_ps(o, o, o)),
    };
    bf16 *out = b->dgates + (t * B + row) * 4 * H + unit;
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
