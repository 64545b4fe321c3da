/* The exponential function in registers of AVX-512, for activations. */
#pragma once

#include "bf16.h"

/* 2^y to 4e-6 of it, and to a bit where y is a whole number; 0 and infinity where it lies beyond. */
INLINE __m512 power_of_two(__m512 y) {
    __m512 r = _mm512_reduce_ps(y, 1); /* y - floor(y) */
    /* Of the polynomials of degree 4 that are 1 at 0 and 2 at 1, that whose largest relative error
     * between is least. */
    __m512 p = _mm512_set1_ps(1.35557475e-2f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.20323701e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.241379768f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693032146f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, y); /* p 2^floor(y) */
}
