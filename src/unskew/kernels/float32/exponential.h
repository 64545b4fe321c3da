/* The exponential function in registers of floats, for activations. */
#pragma once

#include "vector.h"

typedef int32_t VI __attribute__((vector_size(LANES * 4)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

/* `chosen` where all bits of the mask are set, `other` where none is. */
INLINE V where(VI mask, V chosen, V other) { return (V)((mask & (VI)chosen) | (~mask & (VI)other)); }

/* 2^y to 2e-7 of it, between 2^-126 and 2^126; comparisons with a NaN are false, so it stays one. */
INLINE V power_of_two(V y) {
    y = where(y > splat(126.0f), splat(126.0f), y);
    y = where(y < splat(-126.0f), splat(-126.0f), y);
    /* Adding 1.5 * 2^23 leaves no bits below the point, and the whole number in the lowest bits. */
    const V shift = splat(12582912.0f);
    V shifted = y + shift, r = y - (shifted - shift);
    Bits scale = ((Bits)shifted + 127) << 23;
    /* Of the polynomials of degree 6 that are 1 at 0, the one whose largest relative error on
     * [-1/2, 1/2] is least. */
    V p = splat(1.5353362e-4f);
    p = p * r + 1.3398874e-3f;
    p = p * r + 9.618437e-3f;
    p = p * r + 5.5503324e-2f;
    p = p * r + 0.24022648f;
    p = p * r + 0.6931472f;
    p = p * r + 1.0f;
    return p * (V)scale;
}
