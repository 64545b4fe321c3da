/* norm_relu_pool.h for numbers stored in bfloat16, the upper half of a float. */
#include <stdint.h>
#include <string.h>

typedef uint16_t number;

static inline float load(number x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
/* To nearest, ties to even. A NaN stays one unless all but its lowest bits are set, which
 * batch_norm.h sees to. */
static inline number store(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (number)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

#include "../norm_relu_pool.h"
