/* Registers of floats, as wide as the processor has them, by the vector extensions of GCC and Clang:
 * AVX-512, AVX, SSE or NEON from one source. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX512F__)
#define LANES 16
#define ROWS 12 /* of a tile of products, two registers wide: 24 sums of 32 registers */
#elif defined(__AVX__)
#define LANES 8
#define ROWS 6 /* 12 sums of 16 registers */
#else
#define LANES 4
#define ROWS 6
#endif
#define PANEL (2 * LANES)
#define EACH_ROWS _Pragma("GCC unroll 12")

#define INLINE static inline __attribute__((always_inline))
/* Where the share of `part` of `parts` begins; the next one's begin is its end. */
#define SHARE(total, part, parts) ((int64_t)(total) * (part) / (parts))

typedef float V __attribute__((vector_size(LANES * 4)));
typedef float Anywhere __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE V load(const float *from) { return *(const Anywhere *)from; }
INLINE void store(float *to, V value) { *(Anywhere *)to = value; }
/* x - 0 is x for every x, which the compiler knows; x + 0 it would have to add. */
INLINE V splat(float x) { return x - (V){0}; }
