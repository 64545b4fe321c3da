/* What a thread needs for the gradient of an LSTM layer with respect to its weights; whoever includes
 * this has said how many gates are turned about at once (STRIP) and how many rows at most (SPAN).
 */
#pragma once

#include "turning.h"

/* Both matrices as they are multiplied, and the rows that fill no square. */
typedef struct {
    bf16 *turned, *pairs, *rest;
} Room;

INLINE Room laid_out(char *room, int64_t K) {
    bf16 *turned = (bf16 *)room, *pairs = turned + STRIP * odd_lines(SPAN);
    return (Room){turned, pairs, pairs + SPAN * K};
}
