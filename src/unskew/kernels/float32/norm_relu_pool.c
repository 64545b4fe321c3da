/* norm_relu_pool.h for numbers stored as they are. */
typedef float number;

static inline float load(number x) { return x; }
static inline number store(float value) { return value; }

#include "../norm_relu_pool.h"
