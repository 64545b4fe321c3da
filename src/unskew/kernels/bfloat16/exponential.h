/* The exponential function in registers of AVX-512, for activations. */
#pragma once

#include "bf16.h"

/* 2^y to 3e-6 of it; the operand order of min and max lets a NaN through. */
INLINE __m512 power_of_two(__m512 y) {
    y = _mm512_min_ps(_mm512_set1_ps(126.0f), _mm512_max_ps(_mm512_set1_ps(-126.0f), y));
    __m512 n = _mm512_roundscale_ps(y, 0), r = _mm512_sub_ps(y, n);
    /* The polynomial of degree 4 whose largest relative error on [-1/2, 1/2] is least. */
    __m512 p = _mm512_set1_ps(9.570101276e-3f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.591785908e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.2402474433f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.6931217909f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.9999992847f));
    return _mm512_scalef_ps(p, n);
}
