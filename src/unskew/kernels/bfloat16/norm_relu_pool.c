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
static inline number store(float value) { /* to nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, 4);
    number rounded = (number)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    return value != value ? 0x7fc0 : rounded; /* rounding may carry a NaN over to a number */
}

#include "../norm_relu_pool.h"
