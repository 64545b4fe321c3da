/* Intel's matrix tiles in AVX-512, to be included before a kernel that wants them: what its
 * instructions compute, on a processor that has none. */
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

static __thread uint8_t emulated_rows[8];
static __thread uint8_t emulated[8][16][64];

static inline void emulated_shape(const void *shape) {
    memcpy(emulated_rows, (const uint8_t *)shape + 48, sizeof emulated_rows);
}
static inline void emulated_load(int tile, const void *from, int64_t bytes) {
    for (int row = 0; row < emulated_rows[tile]; row++)
        memcpy(emulated[tile][row], (const char *)from + row * bytes, 64);
}
static inline void emulated_store(int tile, void *to, int64_t bytes) {
    for (int row = 0; row < emulated_rows[tile]; row++)
        memcpy((char *)to + row * bytes, emulated[tile][row], 64);
}
static inline void emulated_products(int sums, int left, int right) {
    for (int row = 0; row < emulated_rows[sums]; row++) {
        __m512 sum = _mm512_loadu_ps(emulated[sums][row]);
        for (int k = 0; k < 16; k++) {
            int pair;
            memcpy(&pair, emulated[left][row] + 4 * k, sizeof pair);
            sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(pair),
                                   (__m512bh)_mm512_loadu_si512(emulated[right][k]));
        }
        _mm512_storeu_ps(emulated[sums][row], sum);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated_shape
#define _tile_release() ((void)memset(emulated_rows, 0, sizeof emulated_rows))
#define _tile_zero(tile) ((void)memset(emulated[tile], 0, sizeof emulated[tile]))
#define _tile_loadd emulated_load
#define _tile_stored emulated_store
#define _tile_dpbf16ps emulated_products
#define usable usable_if_the_system_lets_us /* these are always */
