/* The gradients of an LSTM layer with respect to its inputs and to its weights, in float32, from
 * those of its gates: two products over all steps and rows at once,
 *     dx[p, i] = sum over gates n of dgates[p, n] W_ih[n, i],
 *     dw[n, k] = sum over rows p of dgates[p, n] xh[p, k].
 *
 * P rows (steps times sequences), I inputs and H units (both multiples of PANEL), K = I + H.
 *   dgates  float (4 H / PANEL, P, PANEL), see gates.h
 *   xh      float (P, K)
 *   dx      float (P, I)
 *   input   float (4 H, I);  hidden  float (4 H, H), their gradients
 */
#include <string.h>

#include "gates.h"
#include "square.h"

/* Rows of gates that are multiplied with one panel of weights after the other. Both are in the second
 * cache meanwhile. */
#define GROUP 48
/* Rows of one sum of a weight's gradient: a panel of them is most of the first cache. */
#define SPAN (6400 / PANEL)
/* Panels of inputs that stay in the second cache while all gates go by. */
#define PANELS (256 / PANEL)

/* dx (rows, PANEL of I) = gates of the rows times one panel of weights. */
#define DEFINE(rows)                                                                              \
    static __attribute__((noinline)) void multiply_##rows(float *dx, int64_t I,                   \
                                                          const float *gates, int64_t apart,      \
                                                          const float *panel, int64_t blocks) {   \
        V sums[ROWS][2];                                                                          \
        EACH_ROWS for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = (V){0};                \
        accumulate_gates(sums, gates, apart, panel, 0, blocks, rows);                             \
        EACH_ROWS for (int r = 0; r < rows; r++) {                                                \
            store(dx + r * I, sums[r][0]);                                                        \
            store(dx + r * I + LANES, sums[r][1]);                                                \
        }                                                                                         \
    }
FOR_EACH_ROWS(DEFINE)
#undef DEFINE
#define DEFINE(rows) multiply_##rows,
typedef void (*Multiply)(float *, int64_t, const float *, int64_t, const float *, int64_t);
static const Multiply multiply_rows[ROWS] = {FOR_EACH_ROWS(DEFINE)};
#undef DEFINE

/* packed: room for float (I / PANEL, 4 H, PANEL). */
void input_gradients(const float *dgates, const float *weights, float *packed, float *dx, int64_t P,
                     int64_t I, int64_t H, int parts) {
    pack_panels(weights, packed, H, I);
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        int64_t end = SHARE(P, part + 1, parts);
        for (int64_t group = SHARE(P, part, parts); group < end; group += GROUP) {
            int64_t last = end - group < GROUP ? end : group + GROUP;
            for (int64_t i = 0; i < I; i += PANEL)
                for (int64_t p = group; p < last; p += ROWS)
                    multiply_rows[(last - p < ROWS ? last - p : ROWS) - 1](
                        dx + p * I + i, I, dgates + p * PANEL, blocks_apart(P), packed + i * 4 * H,
                        4 * H / PANEL);
        }
    }
}

/* Columns of xh from k on, PANEL of them, of `rows` rows. */
INLINE void gather(const float *xh, int64_t K, int64_t rows, float *panel) {
    for (int64_t row = 0; row < rows; row++) {
        store(panel + row * PANEL, load(xh + row * K));
        store(panel + row * PANEL + LANES, load(xh + row * K + LANES));
    }
}

typedef struct {
    float *input, *hidden; /* what is summed up */
    int64_t I, H;
} Sums;

/* Of `rows` rows: all gates, in blocks `apart`, times the panels of inputs from `first` up to `last`. */
static void add(const Sums *s, const float *gates, int64_t apart, const float *panels,
                int64_t first, int64_t last, int64_t rows) {
    for (int64_t n = 0; n < 4 * s->H; n += PANEL, gates += apart)
        for (int64_t k = first; k < last; k += PANEL) {
            int64_t columns = k < s->I ? s->I : s->H;
            float *sums = k < s->I ? s->input + k : s->hidden + k - s->I;
            add_square(sums + n * columns, columns, gates, panels + (k - first) * rows, rows);
        }
}

/* Bytes for a thread of `weight_gradients`, whatever the layer's size. */
int64_t room_needed(void) { return PANELS * SPAN * PANEL * sizeof(float); }

/* room: parts times `size` bytes, of which each is room_needed. */
void weight_gradients(const float *dgates, const float *xh, char *room, int64_t size, float *input,
                      float *hidden, int64_t P, int64_t I, int64_t H, int parts) {
    int64_t K = I + H, spans = (P + SPAN - 1) / SPAN, most = PANELS * PANEL;
    Sums s = {input, hidden, I, H};
    memset(input, 0, 4 * H * I * sizeof(float));
    memset(hidden, 0, 4 * H * H * sizeof(float));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) {
        float *panels = (float *)(room + part * size);
        int64_t end = SHARE(K / PANEL, part + 1, parts) * PANEL;
        for (int64_t span = 0; span < spans; span++) {
            int64_t p = SHARE(P, span, spans), rows = SHARE(P, span + 1, spans) - p;
            for (int64_t k = SHARE(K / PANEL, part, parts) * PANEL; k < end; k += most) {
                int64_t last = end - k < most ? end : k + most;
                for (int64_t own = k; own < last; own += PANEL)
                    gather(xh + p * K + own, K, rows, panels + (own - k) * rows);
                add(&s, dgates + p * PANEL, blocks_apart(P), panels, k, last, rows);
            }
        }
    }
}
