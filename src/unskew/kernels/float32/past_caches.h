/* Stores of what leaves the caches anyhow before it is needed again: its lines are not read first. */
#pragma once

#include "vector.h"

#if defined(__SSE__)
#include <immintrin.h>
#endif

/* `to` is aligned to a register. */
INLINE void store_past_caches(float *to, V value) {
#if defined(__AVX512F__)
    _mm512_stream_ps(to, (__m512)value);
#elif defined(__AVX__)
    _mm256_stream_ps(to, (__m256)value);
#elif defined(__SSE__)
    _mm_stream_ps(to, (__m128)value);
#else
    store(to, value);
#endif
}

/* Before other threads may read them. */
INLINE void finish_stores(void) {
#if defined(__SSE__)
    _mm_sfence();
#endif
}
