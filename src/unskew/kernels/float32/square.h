/* A product whose sums run over many rows, a square of PANEL by PANEL sums at a time. */
#pragma once

#include "product.h"

/* sums (rows of PANEL, PANEL), from row to row `columns` apart, += left' right, both (count, PANEL).
 * What is added is summed by itself first: a long sum of small numbers would round at its own size.
 * Meanwhile the sums' lines come nearer, of which there are more than the second cache holds. */
#define DEFINE(rows)                                                                            \
    static __attribute__((noinline)) void add_##rows(                                           \
        float *sums, int64_t columns, const float *left, const float *right, int64_t count) {   \
        V s[ROWS][2];                                                                           \
        for (int r = 0; r < rows; r++) __builtin_prefetch(sums + r * columns, 1);               \
        EACH_ROWS for (int r = 0; r < rows; r++) s[r][0] = s[r][1] = (V){0};                    \
        accumulate(s, left, 1, PANEL, right, count, rows);                                      \
        EACH_ROWS for (int r = 0; r < rows; r++) {                                              \
            store(sums + r * columns, load(sums + r * columns) + s[r][0]);                      \
            store(sums + r * columns + LANES, load(sums + r * columns + LANES) + s[r][1]);      \
        }                                                                                       \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) add_##rows,
typedef void (*Add)(float *, int64_t, const float *, const float *, int64_t);
static const Add add_rows[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* All rows of the square, in parts as equal as can be. */
INLINE void add_square(float *sums, int64_t columns, const float *left, const float *right,
                       int64_t count) {
    int64_t parts = (PANEL + ROWS - 1) / ROWS;
    for (int64_t part = 0; part < parts; part++) {
        int64_t first = SHARE(PANEL, part, parts), several = SHARE(PANEL, part + 1, parts) - first;
        add_rows[several - 1](sums + first * columns, columns, left + first, right, count);
    }
}
