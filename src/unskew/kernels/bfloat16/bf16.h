/* bfloat16, the upper half of a float, in registers of AVX-512. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifndef __AVX512BF16__
#error "the processor has no AVX-512 BF16"
#endif
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
/* Where the share of `part` of `parts` begins; the next one's begin is its end. */
#define SHARE(total, part, parts) ((int64_t)(total) * (part) / (parts))

/* Bytes that a thread's passing results may take: a quarter of the second cache of today's processors. */
#define CACHED (256 << 10)

typedef uint16_t bf16;

INLINE __m512 load(const bf16 *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
INLINE void store(bf16 *to, __m512 value) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(value));
}

/* Two neighbours that a multiply-add takes at once, in every lane. */
INLINE __m512bh pair(const bf16 *from) {
    int both;
    __builtin_memcpy(&both, from, sizeof both);
    return (__m512bh)_mm512_set1_epi32(both);
}

/* In a register from here on: the compiler is not to load it again for every row. */
INLINE __m512bh kept(__m512i value) {
    __asm__("" : "+v"(value));
    return (__m512bh)value;
}

/* Two times 16 numbers beside each other, number by number. */
INLINE __m512i paired(const bf16 *even, const bf16 *odd) {
    __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)even));
    __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)odd));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* Two neighbours of each of 16 rows, `bytes` apart. */
INLINE __m512i neighbours(const bf16 *from, int64_t bytes) {
    const __m512i rows = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_i32gather_epi32(_mm512_mullo_epi32(rows, _mm512_set1_epi32((int)bytes)), from, 1);
}
