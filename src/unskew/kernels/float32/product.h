/* A tile of a matrix product: the rows that fit the registers, times a panel of `PANEL` columns. */
#pragma once

#include "vector.h"

/* sums (rows, PANEL) += left (rows, depth), `stride` numbers from row to row and `step` from one
 * to the next in it, times panel (depth, PANEL). */
INLINE void accumulate(V sums[ROWS][2], const float *left, int64_t stride, int64_t step,
                       const float *panel, int64_t depth, int rows) {
    _Pragma("GCC unroll 4") for (int64_t k = 0; k < depth; k++) {
        V low = load(panel + k * PANEL), high = load(panel + k * PANEL + LANES);
        EACH_ROWS for (int r = 0; r < rows; r++) {
            V value = splat(left[r * stride + k * step]);
            sums[r][0] += value * low;
            sums[r][1] += value * high;
        }
    }
}

/* One function a number of rows, not inlined: each has all registers to itself. */
#if ROWS == 12
#define FOR_EACH_ROWS(DEFINE)                                                                  \
    DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6)                                \
    DEFINE(7) DEFINE(8) DEFINE(9) DEFINE(10) DEFINE(11) DEFINE(12)
#else
#define FOR_EACH_ROWS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6)
#endif
