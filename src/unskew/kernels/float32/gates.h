/* Gradients of an LSTM's gates as its backward pass leaves them: float (4 H / PANEL, P, PANEL), of P
 * rows (steps times sequences). So they are a panel of the product that gives the weights'
 * gradients, and a tile of rows lies together where rows are multiplied. */
#pragma once

#include "product.h"

/* Numbers from one block of PANEL gates to the next: a line more than there are. Were it a multiple
 * of a page, as it often would be, the blocks of a tile would fall into the same few sets of the
 * first cache. */
INLINE int64_t blocks_apart(int64_t P) { return P * PANEL + 16; }

/* sums (rows, PANEL) += the gates of some rows, of blocks `first` up to `end`, times a panel
 * (4 H, PANEL). */
INLINE void accumulate_gates(V sums[ROWS][2], const float *gates, int64_t apart, const float *panel,
                             int64_t first, int64_t end, int rows) {
    for (int64_t block = first; block < end; block++) {
        const float *left = gates + block * apart;
        /* The next block's rows: that far ahead no processor looks by itself. */
        EACH_ROWS for (int r = 0; r < rows; r++) __builtin_prefetch(left + apart + r * PANEL);
        accumulate(sums, left, PANEL, 1, panel + block * PANEL * PANEL, PANEL, rows);
    }
}

/* packed (N / PANEL, 4 H, PANEL) from weights (4 H, N). */
INLINE void pack_panels(const float *weights, float *packed, int64_t H, int64_t N) {
    for (int64_t row = 0; row < 4 * H; row++)
        for (int64_t n = 0; n < N; n += PANEL)
            for (int64_t lane = 0; lane < PANEL; lane++)
                packed[n * 4 * H + row * PANEL + lane] = weights[row * N + n + lane];
}
