/* Blocks with paired weights, int16 and doubled (tn_blocks.h): twice as large, and nothing to take apart. Instructions of the
 * inner loops a product: four pixels 11 / 16, two 12 / 16, one 7 / 8; around them about 80, 55 and 40 for all outputs of a
 * block.
 */
#include "tn_blocks.h"

#if TN_DSP
/* %[w] goes through the weights, %[x] through the pixels; s are sums of the first channel, r of the second. */
#define TN_PAIR_4                          \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[r0], %[d], %[a], %[r0]   \n" \
    "smlad  %[s1], %[c], %[b], %[s1]   \n" \
    "smlad  %[r1], %[d], %[b], %[r1]   \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s2], %[c], %[a], %[s2]   \n" \
    "smlad  %[r2], %[d], %[a], %[r2]   \n" \
    "smlad  %[s3], %[c], %[b], %[s3]   \n" \
    "smlad  %[r3], %[d], %[b], %[r3]   \n"
#define TN_STEP_4 TN_PAIR_4 TN_PAIR_4

#define TN_PAIR_2                          \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[r0], %[d], %[a], %[r0]   \n" \
    "smlad  %[s1], %[c], %[b], %[s1]   \n" \
    "smlad  %[r1], %[d], %[b], %[r1]   \n"
#define TN_STEP_2 TN_PAIR_2 TN_PAIR_2

#define TN_STEP_1                          \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[r0], %[d], %[a], %[r0]   \n" \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "smlad  %[s0], %[c], %[b], %[s0]   \n" \
    "smlad  %[r0], %[d], %[b], %[r0]   \n"

enum { TN_BYTES_4 = 4 * 22, TN_BYTES_2 = 4 * 12, TN_BYTES_1 = 4 * 7 }; /* of a step */
#endif

/* Sums of one pair of channels with `pixels` pixels, and their outputs. */
TN_INLINE void tn_paired_pair(const tn_pair *pair, const uint32_t *x, const uint32_t pixels, const int planes)
{
#if TN_DSP
    const int16_t *w = pair->weights;
    int32_t s0 = pair->constants[TN_BIAS], r0 = pair->constants[TN_CONSTANTS + TN_BIAS];
    uint32_t a, b, c, d;
    if (pixels == 4) {
        int32_t s1 = s0, s2 = s0, s3 = s0, r1 = r0, r2 = r0, r3 = r0;
#define TN_PAIRED_4(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_4) TN_TURN finish                                                                \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [r3] "+r"(r3),          \
                       [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [a] "=&r"(a), [b] "=&r"(b),        \
                       [c] "=&r"(c), [d] "=&r"(d)                                                                     \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PAIRED_4(TN_PLANE_4("0", "s") TN_NEXT_PLANE TN_PLANE_4("16", "r"));
        } else {
            TN_PAIRED_4(TN_ROWS_4("0", "s") TN_NEXT_BYTE TN_ROWS_4("16", "r"));
        }
    } else if (pixels == 2) {
        int32_t s1 = s0, r1 = r0;
#define TN_PAIRED_2(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_2) TN_TURN finish                                                                \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [r1] "+r"(r1), [s0] "+r"(s0), [s1] "+r"(s1),          \
                       [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)                                         \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PAIRED_2(TN_PLANE_2("0", "s") TN_NEXT_PLANE TN_PLANE_2("16", "r"));
        } else {
            TN_PAIRED_2(TN_ROWS_2("0", "s") TN_NEXT_BYTE TN_ROWS_2("16", "r"));
        }
    } else {
#define TN_PAIRED_1(finish)                                                                                           \
    __asm__ volatile(TN_LOOP(TN_STEP_1) TN_TURN finish                                                                \
                     : [w] "+r"(w), [x] "+r"(x), [r0] "+r"(r0), [s0] "+r"(s0), [a] "=&r"(a), [b] "=&r"(b),            \
                       [c] "=&r"(c), [d] "=&r"(d)                                                                     \
                     : TN_IN                                                                                          \
                     : "memory", "cc")
        if (planes) {
            TN_PAIRED_1(TN_PLANE_1("0", "s") TN_NEXT_PLANE TN_PLANE_1("16", "r"));
        } else {
            TN_PAIRED_1(TN_ROWS_1("0", "s") TN_NEXT_BYTE TN_ROWS_1("16", "r"));
        }
    }
#else
    const uint32_t depth = (uint32_t)(pair->end - pair->weights) / 2;
    for (uint32_t i = 0; i < pixels; i++) {
        int8_t *const out = pair->out + i * (planes ? 2 : pair->step);
        for (uint32_t channel = 0; channel < 2; channel++) {
            const int32_t *const constants = pair->constants + channel * TN_CONSTANTS;
            int32_t sum = constants[TN_BIAS];
            for (uint32_t k = 0; k < depth; k++) {
                const uint32_t word = x[k / 2 * pixels + i];
                sum += pair->weights[k / 2 * 4 + channel * 2 + k % 2] * (k % 2 ? tn_high(word) : tn_low(word));
            }
            tn_write(sum, constants, planes, out + channel * (planes ? pair->step : 1));
        }
    }
#endif
}

#define TN_BLOCK_PAIR tn_paired_pair
#define TN_WEIGHTS 2
#include "tn_blocks_rows.h"

void tn_convolve_paired(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    tn_block_rows(op, arena, step, &patch);
}

void tn_convolve_paired_planes(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    tn_block_row(op, arena, step, &patch, 1);
}

void tn_dense_paired(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_of_vector(op, arena);
    tn_block_rows(op, arena, step, &patch);
}
