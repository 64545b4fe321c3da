/* Two matrices whose product is summed over their rows, as multiply-adds of pairs want them: of the
 * left one rows become columns, of the right one pairs of neighbouring rows stand side by side. */
#pragma once

#include "bf16.h"

/* Pairs of rows of a matrix (rows, K), an even number of them: (K / 32, rows / 2, 32, 2). */
static void pair_up(const bf16 *from, int64_t rows, int64_t K, bf16 *pairs) {
    for (int64_t row = 0; row < rows; row += 2)
        for (int64_t k = 0; k < K; k += 32) {
            const bf16 *even = from + row * K + k;
            bf16 *to = pairs + k * rows + row * 32;
            _mm512_storeu_si512(to, paired(even, even + K));
            _mm512_storeu_si512(to + 32, paired(even + 16, even + K + 16));
        }
}

/* A square of 16 x 16 numbers of 32 bits turned about, in three rounds of exchanges. */
INLINE void turn(__m512i rows[16]) {
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            rows[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            rows[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) { /* quarters of registers, four by four */
        __m512i a = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0x88);
        __m512i b = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0x88);
        __m512i d = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0xdd);
        t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) rows[i] = t[i];
}

/* A matrix (rows, columns), both multiples of 32, as (columns, rows); `stride` and `apart` are the
 * numbers from row to row of both. */
static void turn_about(const bf16 *from, int64_t rows, int64_t columns, int64_t stride, bf16 *turned,
                       int64_t apart) {
    for (int64_t row = 0; row < rows; row += 32)
        for (int64_t n = 0; n < columns; n += 16) {
            __m512i pairs[16]; /* of neighbouring rows, which stay together */
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) {
                const bf16 *even = from + (row + 2 * i) * stride + n;
                pairs[i] = paired(even, even + stride);
                if (n % 32) continue; /* a line has 32 numbers: those of the next square's rows */
                _mm_prefetch((const char *)(even + 32 * stride), _MM_HINT_T1);
                _mm_prefetch((const char *)(even + 33 * stride), _MM_HINT_T1);
            }
            turn(pairs);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++)
                _mm512_storeu_si512(turned + (n + i) * apart + row, pairs[i]);
        }
}

/* An odd number of lines for `count` numbers: were it even, a tile's rows would fall into a few sets of
 * the first cache. */
INLINE int64_t odd_lines(int64_t count) { return ((count + 31) / 32 | 1) * 32; }
