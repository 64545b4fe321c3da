/* Batch normalisation, ReLU and an optional 2x2 max-pool in one pass over memory, forward and
 * backward, for images stored channels last: rows of C values, one row a pixel.
 *
 * On a CPU these three cost as much as the convolutions between them, because each reads and
 * writes the whole activation. Fused, the forward reads it twice (statistics, then result) and
 * the backward twice; no mask or arg max is stored, both follow again from the input.
 *
 * Formulas: Ioffe & Szegedy 2015, algorithm 1 and the gradients of section 3. Sums are taken in
 * fp32 over blocks of rows and added up in double, in an order that depends on the number of
 * threads alone. `T` is the storage type: float, or bfloat16 as the upper half of a float.
 */
#include <stdint.h>
#include <string.h>
#include <math.h>

#define MAX_CHANNELS 1024
#define BLOCK 64 /* rows summed in fp32 before they are added to the double sums */

typedef uint16_t bf16;

static inline float load_bf16(bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static inline bf16 store_bf16(float value) { /* to nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
static inline float load_float(float x) { return x; }
static inline float store_float(float x) { return x; }

#define SHARE(total, part, parts) ((int64_t)(total) * (part) / (parts))

#define T float
#define NAME(f) f##_float
#define LOAD load_float
#define STORE store_float
#include "norm_relu_pool.inc"
#undef T
#undef NAME
#undef LOAD
#undef STORE

#define T bf16
#define NAME(f) f##_bfloat16
#define LOAD load_bf16
#define STORE store_bf16
#include "norm_relu_pool.inc"
