/* Blocks with paired weights, int16 and doubled (tn_blocks.h): twice as large, and nothing to take apart. Instructions of the
 * inner loops a product: four pixels 11 / 16, two 12 / 16, one 6 / 8; around them 52, 43 and 23 for all outputs of a block, and
 * 3 for a round.
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
/* The first step adds to the biases, which so need no copies; sums that are not there yet lend their registers. */
#define TN_FIRST_STEP_4                    \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s1], %[c], %[b], %[s0]   \n" \
    "smlad  %[r1], %[d], %[b], %[r0]   \n" \
    "ldrd   %[b], %[s3], [%[x]], #8    \n" \
    "smlad  %[s2], %[c], %[b], %[s0]   \n" \
    "smlad  %[r2], %[d], %[b], %[r0]   \n" \
    "smlad  %[r3], %[d], %[s3], %[r0]  \n" \
    "smlad  %[s3], %[c], %[s3], %[s0]  \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[r0], %[d], %[a], %[r0]   \n" TN_PAIR_4

#define TN_PAIR_2                          \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[r0], %[d], %[a], %[r0]   \n" \
    "smlad  %[s1], %[c], %[b], %[s1]   \n" \
    "smlad  %[r1], %[d], %[b], %[r1]   \n"
#define TN_STEP_2 TN_PAIR_2 TN_PAIR_2

#define TN_STEP_1                                    \
    "ldrd   %[a], %[b], [%[x]], #8               \n" \
    "ldm.w  %[w]!, {%[c], %[d], %[e], %[f]}      \n" \
    "smlad  %[s0], %[c], %[a], %[s0]             \n" \
    "smlad  %[r0], %[d], %[a], %[r0]             \n" \
    "smlad  %[s0], %[e], %[b], %[s0]             \n" \
    "smlad  %[r0], %[f], %[b], %[r0]             \n"

enum { TN_BYTES_4 = 4 * 22, TN_BYTES_2 = 4 * 12, TN_BYTES_1 = 4 * 6 }; /* of a step */

#define TN_BIASES "ldr %[a], %[constants] \n" "ldr %[s0], [%[a]] \n" "ldr %[r0], [%[a], #16] \n"
#define TN_ALSO(n) "mov %[s" n "], %[s0] \n" "mov %[r" n "], %[r0] \n"

#define TN_PAIRED_4(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES TN_FIRST_STEP_4, TN_FOUR_TIMES(TN_STEP_4), finish)                             \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3), [s0] "=&r"(s0),                 \
                       [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3), TN_OUT                                          \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PAIRED_2(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES TN_ALSO("1"), TN_FOUR_TIMES(TN_STEP_2), finish)                                \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [s0] "=&r"(s0), [s1] "=&r"(s1), TN_OUT                          \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PAIRED_1(finish)                                                                                            \
    __asm__ volatile(TN_SINGLES("ldr %[s0], [%[k]] \n" "ldr %[r0], [%[k], #16] \n",                                   \
                                TN_FOUR_TIMES(TN_STEP_1 TN_STEP_1), finish)                                            \
                     : [r0] "=&r"(r0), [s0] "=&r"(s0), [e] "=&r"(e), [f] "=&r"(f), TN_SINGLE_OUT                       \
                     : TN_IN                                                                                           \
                     : "memory", "cc")

/* Sums of pairs of channels with `pixels` pixels, and their outputs. */
TN_INLINE void tn_paired_channels(tn_channels *channels, uint32_t depth, const uint32_t *widened, const uint32_t pixels,
                                  const int planes)
{
    const uint32_t *const end = widened + pixels * depth / 2;
    const uint32_t steps = depth / TN_STEP, entry = pixels == 4   ? tn_entry(steps - 1, TN_UNROLLED, TN_BYTES_4)
                                                    : pixels == 2 ? tn_entry(steps, TN_UNROLLED, TN_BYTES_2)
                                                                  : tn_entry(steps, 2 * TN_UNROLLED, TN_BYTES_1);
    const uint32_t *x;
    const int16_t *saved;
    int32_t r0, r1, r2, r3, s0, s1, s2, s3;
    uint32_t a, b, enter;
    /* LDM loads by rising numbers of registers */
    register uint32_t c __asm__("r4"), d __asm__("r5"), e __asm__("r6"), f __asm__("r8");
    if (pixels == 4 && planes) {
        TN_PAIRED_4(TN_FINISH_PLANES(TN_PLANE_4("0", "s") TN_NEXT_PLANE TN_PLANE_4("16", "r") TN_NEXT_PLANE));
    } else if (pixels == 4) {
        TN_PAIRED_4(TN_FINISH_ROWS(TN_ROWS_4("0", "s") TN_NEXT_BYTE TN_ROWS_4("16", "r") TN_NEXT_BYTE));
    } else if (pixels == 2 && planes) {
        TN_PAIRED_2(TN_FINISH_PLANES(TN_PLANE_2("0", "s") TN_NEXT_PLANE TN_PLANE_2("16", "r") TN_NEXT_PLANE));
    } else if (pixels == 2) {
        TN_PAIRED_2(TN_FINISH_ROWS(TN_ROWS_2("0", "s") TN_NEXT_BYTE TN_ROWS_2("16", "r") TN_NEXT_BYTE));
    } else if (planes) {
        TN_PAIRED_1(TN_PLANE_1("0", "s") TN_NEXT_SINGLE_PLANE TN_PLANE_1("16", "r") TN_NEXT_SINGLE_PLANE);
    } else {
        TN_PAIRED_1(TN_ROWS_1("0", "s") TN_ROWS_1("16", "r"));
    }
}
#else
/* The same by the definition of the layout. */
TN_INLINE void tn_paired_channels(tn_channels *channels, uint32_t depth, const uint32_t *widened, const uint32_t pixels,
                                  const int planes)
{
    const uint32_t apart = planes ? channels->step : 1; /* bytes from a channel to the next */
    for (; channels->weights != channels->last; channels->weights += 2 * depth) {
        for (uint32_t i = 0; i < 2 * pixels; i++) {
            const uint32_t channel = i % 2;
            const int32_t *const constants = channels->constants + channel * TN_CONSTANTS;
            int32_t sum = constants[TN_BIAS];
            for (uint32_t k = 0; k < depth; k++) {
                const uint32_t word = widened[k / 2 * pixels + i / 2];
                sum += channels->weights[k / 2 * 4 + channel * 2 + k % 2] * (k % 2 ? tn_high(word) : tn_low(word));
            }
            tn_write(sum, constants, planes, channels->out + i / 2 * (planes ? 2 : channels->step) + channel * apart);
        }
        channels->constants += 2 * TN_CONSTANTS;
        channels->out += 2 * apart;
    }
}
#endif

#define TN_BLOCK_CHANNELS tn_paired_channels
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
