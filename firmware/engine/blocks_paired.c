/* Blocks with paired weights, int16 and doubled (tn_blocks.h): twice as large, and nothing to take apart. Instructions of the
 * inner loops a product: four pixels 11 / 16, three 8 / 12, two 11 / 16, one 6 / 8; around them 41, 35, 29 and 21 for all
 * outputs of a block in planes, 52, 42, 33 and 19 in rows, and 3 for a round.
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

/* Three pixels leave room for all their words at once. */
#define TN_PAIR_3                          \
    "ldrd   %[a], %[b], [%[w]], #8     \n" \
    "ldm.w  %[x]!, {%[c], %[d], %[e]}  \n" \
    "smlad  %[s0], %[a], %[c], %[s0]   \n" \
    "smlad  %[r0], %[b], %[c], %[r0]   \n" \
    "smlad  %[s1], %[a], %[d], %[s1]   \n" \
    "smlad  %[r1], %[b], %[d], %[r1]   \n" \
    "smlad  %[s2], %[a], %[e], %[s2]   \n" \
    "smlad  %[r2], %[b], %[e], %[r2]   \n"
#define TN_STEP_3 TN_PAIR_3 TN_PAIR_3
#define TN_FIRST_STEP_3                    \
    "ldrd   %[a], %[b], [%[w]], #8     \n" \
    "ldm.w  %[x]!, {%[c], %[d], %[e]}  \n" \
    "smlad  %[s1], %[a], %[d], %[s0]   \n" \
    "smlad  %[r1], %[b], %[d], %[r0]   \n" \
    "smlad  %[s2], %[a], %[e], %[s0]   \n" \
    "smlad  %[r2], %[b], %[e], %[r0]   \n" \
    "smlad  %[s0], %[a], %[c], %[s0]   \n" \
    "smlad  %[r0], %[b], %[c], %[r0]   \n" TN_PAIR_3

/* Two leave room for the weights of a whole step. */
#define TN_STEP_2                                    \
    "ldrd   %[a], %[b], [%[x]], #8               \n" \
    "ldm.w  %[w]!, {%[c], %[d], %[e], %[f]}      \n" \
    "smlad  %[s0], %[c], %[a], %[s0]             \n" \
    "smlad  %[r0], %[d], %[a], %[r0]             \n" \
    "smlad  %[s1], %[c], %[b], %[s1]             \n" \
    "smlad  %[r1], %[d], %[b], %[r1]             \n" \
    "ldrd   %[a], %[b], [%[x]], #8               \n" \
    "smlad  %[s0], %[e], %[a], %[s0]             \n" \
    "smlad  %[r0], %[f], %[a], %[r0]             \n" \
    "smlad  %[s1], %[e], %[b], %[s1]             \n" \
    "smlad  %[r1], %[f], %[b], %[r1]             \n"

#define TN_STEP_1                                    \
    "ldrd   %[a], %[b], [%[x]], #8               \n" \
    "ldm.w  %[w]!, {%[c], %[d], %[e], %[f]}      \n" \
    "smlad  %[s0], %[c], %[a], %[s0]             \n" \
    "smlad  %[r0], %[d], %[a], %[r0]             \n" \
    "smlad  %[s0], %[e], %[b], %[s0]             \n" \
    "smlad  %[r0], %[f], %[b], %[r0]             \n"

enum { TN_BYTES_4 = 4 * 22, TN_BYTES_3 = 4 * 16, TN_BYTES_2 = 4 * 11, TN_BYTES_1 = 4 * 6 }; /* of a step */

#define TN_BIASES "ldrd %[s0], %[r0], [%[w]], #8 \n"
#define TN_ALSO(n) "mov %[s" n "], %[s0] \n" "mov %[r" n "], %[r0] \n"

#define TN_PAIRED_4(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES TN_FIRST_STEP_4, TN_FOUR_TIMES(TN_STEP_4), finish)                             \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3), [s0] "=&r"(s0),                 \
                       [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3), TN_OUT                                          \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PAIRED_3(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES TN_FIRST_STEP_3, TN_FOUR_TIMES(TN_STEP_3), finish)                             \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), \
                       [e] "=&r"(e), TN_OUT                                                                            \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PAIRED_2(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES TN_ALSO("1"), TN_FOUR_TIMES(TN_STEP_2), finish)                                \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [s0] "=&r"(s0), [s1] "=&r"(s1), [e] "=&r"(e), [f] "=&r"(f),     \
                       TN_OUT                                                                                          \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PAIRED_1(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_BIASES, TN_FOUR_TIMES(TN_STEP_1 TN_STEP_1), finish)                                   \
                     : [r0] "=&r"(r0), [s0] "=&r"(s0), [e] "=&r"(e), [f] "=&r"(f), TN_OUT                              \
                     : TN_IN                                                                                           \
                     : "memory", "cc")

/* Where the loops of `pixels` pixels begin: the first step of three and four is before the round. */
TN_INLINE uint32_t tn_paired_entry(uint32_t pixels, uint32_t steps)
{
    const uint32_t bytes = (uint32_t)TN_BYTES_4 << 24 | TN_BYTES_3 << 16 | TN_BYTES_2 << 8 | TN_BYTES_1;
    return tn_entry(steps - (pixels > 2), pixels == 1 ? 2 * TN_UNROLLED : TN_UNROLLED, (bytes >> 8 * (pixels - 1)) % 256);
}

/* Sums of pairs of channels with `pixels` pixels, and their outputs. */
TN_INLINE void tn_paired_channels(tn_channels *channels, uint32_t pixels, const int planes)
{
    int32_t r0, r1, r2, r3, s0, s1, s2, s3;
    TN_TEMPORARIES;
    if (pixels == 4 && planes) {
        TN_PAIRED_4(TN_FINISH_PLANES(4));
    } else if (pixels == 4) {
        TN_PAIRED_4(TN_FINISH_ROWS(4));
    } else if (pixels == 3 && planes) {
        TN_PAIRED_3(TN_FINISH_PLANES(3));
    } else if (pixels == 3) {
        TN_PAIRED_3(TN_FINISH_ROWS(3));
    } else if (pixels == 2 && planes) {
        TN_PAIRED_2(TN_FINISH_PLANES(2));
    } else if (pixels == 2) {
        TN_PAIRED_2(TN_FINISH_ROWS(2));
    } else if (planes) {
        TN_PAIRED_1(TN_FINISH_PLANES(1));
    } else {
        TN_PAIRED_1(TN_FINISH_ROW);
    }
}
#else
/* The same by the definition of the layout. */
TN_NOINLINE static void tn_paired_channels(tn_channels *channels, uint32_t pixels, const int planes)
{
    const uint32_t *const widened = channels->widened;
    const uint32_t depth = (uint32_t)(channels->end - widened) * 2 / pixels;
    const uint32_t apart = planes ? channels->step : 1; /* bytes from a channel to the next */
    for (; channels->weights != channels->last; channels->weights += 2 * depth + TN_PAIR_CONSTANTS) {
        const int16_t *const weights = channels->weights + 4;
        int32_t constants[2][TN_CONSTANTS];
        tn_pair_constants(channels->weights, weights + 2 * depth, constants);
        for (uint32_t i = 0; i < 2 * pixels; i++) {
            const uint32_t channel = i % 2;
            int32_t sum = constants[channel][TN_BIAS];
            for (uint32_t k = 0; k < depth; k++) {
                const uint32_t word = widened[k / 2 * pixels + i / 2];
                sum += weights[k / 2 * 4 + channel * 2 + k % 2] * (k % 2 ? tn_high(word) : tn_low(word));
            }
            tn_write(sum, constants[channel], planes,
                     channels->out + i / 2 * (planes ? 2 : channels->step) + channel * apart);
        }
        channels->out += 2 * apart;
    }
}

TN_INLINE uint32_t tn_paired_entry(uint32_t pixels, uint32_t steps)
{
    (void)pixels;
    (void)steps;
    return 0;
}
#endif

#define TN_BLOCK_CHANNELS tn_paired_channels
#define TN_BLOCK_ENTRY tn_paired_entry
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
