/* Matrix products in the tiles of Intel's AMX: eight registers of 16 rows of 64 bytes, of which one
 * instruction multiplies 16 x 32 numbers with 32 x 16 in bfloat16 and adds them up in fp32. */
#pragma once

#include "../bfloat16/bf16.h"

#if !(defined(__AMX_BF16__) || defined(__AMXBF16__)) || !defined(__linux__) /* GCC's name, old Clang's */
#error "the processor has no AMX, or the system is not Linux"
#endif
#include <sys/syscall.h>
#include <unistd.h>

#define ROWS 16    /* of a tile */
#define PAIR 32    /* rows of the two tiles that share what they are multiplied with, at most */
#define LEFT 32    /* numbers of a row of a left tile */
#define SYS_ARCH_REQ_XCOMP_PERM 0x1023
#define TILE_DATA 18

/* Whether Linux lets this process use tiles: their registers are large, so it wants to be asked. */
int usable(void) { return syscall(SYS_arch_prctl, SYS_ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0; }

/* All tiles as wide as can be: sums in 0 to 3 and left ones, 4 and 5, of `rows` rows; right ones, 6
 * and 7, of 16. Threads have tiles of their own: each takes them before its products and gives them
 * back with _tile_release(). */
static void take_tiles(int64_t rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        shape.bytes[tile] = 64;
        shape.rows[tile] = (uint8_t)(tile < 6 ? rows : ROWS);
    }
    __asm__ volatile("" : : "r"(&shape) : "memory"); /* GCC thinks that it reads the first bytes only */
    _tile_loadconfig(&shape);
}

/* Sums 0 and 1 += a left tile times two right ones, sums 2 and 3 += another left tile times the same,
 * `steps` times 32 numbers of each row. A right tile has pairs of rows side by side, (16, 16, 2), and
 * the second stands beside the first; from row to row are `stride` numbers. */
INLINE void multiply(const bf16 *first, const bf16 *second, int64_t left_stride, const bf16 *right,
                     int64_t stride, int64_t steps) {
    __asm__ volatile("" ::: "memory"); /* loads of tiles do not tell the compiler what they read */
    for (int64_t step = 0; step < steps; step++) {
        _tile_loadd(6, right, stride * 2);
        _tile_loadd(4, first, left_stride * 2);
        _tile_loadd(7, right + 32, stride * 2);
        _tile_loadd(5, second, left_stride * 2);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        first += LEFT;
        second += LEFT;
        right += ROWS * stride;
    }
}

INLINE void zero_sums(void) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

/* From or to float matrices of 32 columns, the first left tile's and the second's. */
INLINE void load_sums(const float *first, const float *second, int64_t stride) {
    __asm__ volatile("" ::: "memory");
    _tile_loadd(0, first, stride * 4);
    _tile_loadd(1, first + 16, stride * 4);
    _tile_loadd(2, second, stride * 4);
    _tile_loadd(3, second + 16, stride * 4);
}
INLINE void store_sums(float *first, float *second, int64_t stride) {
    _tile_stored(0, first, stride * 4);
    _tile_stored(1, first + 16, stride * 4);
    _tile_stored(2, second, stride * 4);
    _tile_stored(3, second + 16, stride * 4);
}

/* 32 of the sums, rounded to bfloat16. */
INLINE void store_panel(bf16 *to, const float *sums) {
    __m512 low = _mm512_load_ps(sums), high = _mm512_load_ps(sums + 16);
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* How `total` rows are divided into as equal parts of at most 32 as can be. The two tiles of a part
 * are of one height for all of them; where they do not fill a part exactly they overlap. */
typedef struct {
    int64_t parts, height;
} Division;
INLINE Division divided(int64_t total) {
    int64_t parts = (total + PAIR - 1) / PAIR, most = (total + parts - 1) / parts;
    return (Division){parts, (most + 1) / 2};
}
