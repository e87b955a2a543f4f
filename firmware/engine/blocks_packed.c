/* Blocks with packed weights, which are no larger than int8 (tn_blocks.h). Instructions of the inner loops a product:
 * four pixels 12 / 16, two 13 / 16, one 8 / 8; around them about 90, 60 and 45 for all outputs of a block. They are assembly
 * because all fourteen registers are taken, and unrolled by four steps, entered where the rest of a division wants it.
 */
#include "tn_blocks.h"

#if TN_DSP
/* %[w] goes through the weights, %[x] through the pixels; r are sums with words of weights, s with their low bytes. */
#define TN_PAIR_4                          \
    "ldr    %[c], [%[w]], #4           \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "sxtb16 %[d], %[c]                 \n" \
    "smlad  %[r0], %[c], %[a], %[r0]   \n" \
    "smlad  %[s0], %[d], %[a], %[s0]   \n" \
    "smlad  %[r1], %[c], %[b], %[r1]   \n" \
    "smlad  %[s1], %[d], %[b], %[s1]   \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[r2], %[c], %[a], %[r2]   \n" \
    "smlad  %[s2], %[d], %[a], %[s2]   \n" \
    "smlad  %[r3], %[c], %[b], %[r3]   \n" \
    "smlad  %[s3], %[d], %[b], %[s3]   \n"
#define TN_STEP_4 TN_PAIR_4 TN_PAIR_4

#define TN_STEP_2                          \
    "ldrd   %[c], %[e], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "sxtb16 %[d], %[c]                 \n" \
    "smlad  %[r0], %[c], %[a], %[r0]   \n" \
    "smlad  %[s0], %[d], %[a], %[s0]   \n" \
    "smlad  %[r1], %[c], %[b], %[r1]   \n" \
    "smlad  %[s1], %[d], %[b], %[s1]   \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "sxtb16 %[d], %[e]                 \n" \
    "smlad  %[r0], %[e], %[a], %[r0]   \n" \
    "smlad  %[s0], %[d], %[a], %[s0]   \n" \
    "smlad  %[r1], %[e], %[b], %[r1]   \n" \
    "smlad  %[s1], %[d], %[b], %[s1]   \n"

#define TN_STEP_1                          \
    "ldrd   %[c], %[e], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "sxtb16 %[d], %[c]                 \n" \
    "smlad  %[r0], %[c], %[a], %[r0]   \n" \
    "smlad  %[s0], %[d], %[a], %[s0]   \n" \
    "sxtb16 %[d], %[e]                 \n" \
    "smlad  %[r0], %[e], %[b], %[r0]   \n" \
    "smlad  %[s0], %[d], %[b], %[s0]   \n"

enum { TN_BYTES_4 = 4 * 24, TN_BYTES_2 = 4 * 13, TN_BYTES_1 = 4 * 8 }; /* of a step */

/* Both channels' sums out of r = 256 * S1 + S0 and s = S0; twice the sum, and the bias. */
#define TN_SECOND(n) "sub %[r" n "], %[r" n "], %[s" n "] \n" "add %[r" n "], %[a], %[r" n "], asr #7 \n"
#define TN_FIRST(n) "add %[s" n "], %[b], %[s" n "], lsl #1 \n"
#define TN_BIASES "ldr %[a], [%[x], #16] \n" "ldr %[b], [%[x]] \n"
#define TN_APART_1 TN_TURN TN_BIASES TN_SECOND("0") TN_FIRST("0")
#define TN_APART_2 TN_APART_1 TN_SECOND("1") TN_FIRST("1")
#define TN_APART_4 TN_APART_2 TN_SECOND("2") TN_FIRST("2") TN_SECOND("3") TN_FIRST("3")

#endif

/* Sums of one pair of channels with `pixels` pixels, and their outputs. */
TN_INLINE void tn_packed_pair(const tn_pair *pair, const uint32_t *x, const uint32_t pixels, const int planes)
{
#if TN_DSP
    const int16_t *w = pair->weights;
    int32_t r0 = 0, s0 = 0;
    uint32_t a, b, c, d;
    if (pixels == 4) {
        int32_t r1 = 0, r2 = 0, r3 = 0, s1 = 0, s2 = 0, s3 = 0;
#define TN_PACKED_4(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_4) TN_APART_4 finish                                                             \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [r3] "+r"(r3),          \
                       [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [a] "=&r"(a), [b] "=&r"(b),        \
                       [c] "=&r"(c), [d] "=&r"(d)                                                                     \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PACKED_4(TN_PLANE_4("0", "s") TN_NEXT_PLANE TN_PLANE_4("16", "r"));
        } else {
            TN_PACKED_4(TN_ROWS_4("0", "s") TN_NEXT_BYTE TN_ROWS_4("16", "r"));
        }
    } else if (pixels == 2) {
        int32_t r1 = 0, s1 = 0;
        uint32_t e;
#define TN_PACKED_2(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_2) TN_APART_2 finish                                                             \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [r1] "+r"(r1), [s0] "+r"(s0), [s1] "+r"(s1),          \
                       [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e)                           \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PACKED_2(TN_PLANE_2("0", "s") TN_NEXT_PLANE TN_PLANE_2("16", "r"));
        } else {
            TN_PACKED_2(TN_ROWS_2("0", "s") TN_NEXT_BYTE TN_ROWS_2("16", "r"));
        }
    } else {
        uint32_t e;
#define TN_PACKED_1(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_1) TN_APART_1 finish                                                             \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [s0] "+r"(s0), [a] "=&r"(a), [b] "=&r"(b),            \
                       [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e)                                                       \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PACKED_1(TN_PLANE_1("0", "s") TN_NEXT_PLANE TN_PLANE_1("16", "r"));
        } else {
            TN_PACKED_1(TN_ROWS_1("0", "s") TN_NEXT_BYTE TN_ROWS_1("16", "r"));
        }
    }
#else
    const uint32_t depth = (uint32_t)(pair->end - pair->weights);
    for (uint32_t i = 0; i < pixels; i++) {
        uint32_t whole = 0, low = 0; /* the first may wrap around, as SMLAD does */
        int8_t *const out = pair->out + i * (planes ? 2 : pair->step);
        for (uint32_t k = 0; k < depth; k++) {
            const uint32_t word = x[k / 2 * pixels + i];
            const int32_t value = k % 2 ? tn_high(word) : tn_low(word);
            whole += (uint32_t)(pair->weights[k] * value);
            low += (uint32_t)((int8_t)pair->weights[k] * value);
        }
        tn_write(pair->constants[TN_BIAS] + (int32_t)low * 2, pair->constants, planes, out);
        tn_write(pair->constants[TN_CONSTANTS + TN_BIAS] + ((int32_t)(whole - low) >> 7),
                 pair->constants + TN_CONSTANTS, planes, out + (planes ? pair->step : 1));
    }
#endif
}

#define TN_BLOCK_PAIR tn_packed_pair
#define TN_WEIGHTS 1
#include "tn_blocks_rows.h"

void tn_convolve_packed(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    tn_block_rows(op, arena, step, &patch);
}

void tn_convolve_packed_planes(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    tn_block_row(op, arena, step, &patch, 1);
}

void tn_dense_packed(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_of_vector(op, arena);
    tn_block_rows(op, arena, step, &patch);
}
