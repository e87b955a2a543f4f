/* Blocks with packed weights, which are no larger than int8 (tn_blocks.h). Instructions of the inner loops a product:
 * four pixels 12 / 16, three 9 / 12, two 13 / 16, one 8 / 8; around them 53, 50, 37 and 26 for all outputs of a block in planes,
 * 64, 57, 41 and 24 in rows, and 3 for a round.
 * They are assembly because all fourteen registers are taken, and unrolled by four steps, entered where the rest of a
 * division wants it; of two and three pixels, which a row has once at most, by two.
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
/* The first step adds to nothing. */
#define TN_FIRST_STEP_4                    \
    "ldr    %[c], [%[w]], #4           \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "sxtb16 %[d], %[c]                 \n" \
    "smuad  %[r0], %[c], %[a]          \n" \
    "smuad  %[s0], %[d], %[a]          \n" \
    "smuad  %[r1], %[c], %[b]          \n" \
    "smuad  %[s1], %[d], %[b]          \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smuad  %[r2], %[c], %[a]          \n" \
    "smuad  %[s2], %[d], %[a]          \n" \
    "smuad  %[r3], %[c], %[b]          \n" \
    "smuad  %[s3], %[d], %[b]          \n" TN_PAIR_4

#define TN_PAIR_3                          \
    "ldr    %[b], [%[w]], #4           \n" \
    "ldm.w  %[x]!, {%[c], %[d], %[e]}  \n" \
    "sxtb16 %[a], %[b]                 \n" \
    "smlad  %[r0], %[b], %[c], %[r0]   \n" \
    "smlad  %[s0], %[a], %[c], %[s0]   \n" \
    "smlad  %[r1], %[b], %[d], %[r1]   \n" \
    "smlad  %[s1], %[a], %[d], %[s1]   \n" \
    "smlad  %[r2], %[b], %[e], %[r2]   \n" \
    "smlad  %[s2], %[a], %[e], %[s2]   \n"
#define TN_STEP_3 TN_PAIR_3 TN_PAIR_3

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

enum { TN_BYTES_4 = 4 * 24, TN_BYTES_3 = 4 * 18, TN_BYTES_2 = 4 * 13, TN_BYTES_1 = 4 * 8 }; /* of a step */

#define TN_ZERO(n) "mov %[r" n "], #0 \n" "mov %[s" n "], #0 \n"

/* Both channels' sums out of r = 256 * S1 + S0 and s = S0; twice the sum, and the bias. */
#define TN_SECOND(n) "sub %[r" n "], %[r" n "], %[s" n "] \n" "add %[r" n "], %[a], %[r" n "], asr #7 \n"
#define TN_FIRST(n) "add %[s" n "], %[b], %[s" n "], lsl #1 \n"
#define TN_APART_1 "ldrd %[b], %[a], [%[w]], #8 \n" TN_SECOND("0") TN_FIRST("0")
#define TN_APART_2 TN_APART_1 TN_SECOND("1") TN_FIRST("1")
#define TN_APART_3 TN_APART_2 TN_SECOND("2") TN_FIRST("2")
#define TN_APART_4 TN_APART_3 TN_SECOND("3") TN_FIRST("3")

#define TN_PACKED_4(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_FIRST_STEP_4, TN_FOUR_TIMES(TN_STEP_4), finish)                            \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3), [s0] "=&r"(s0),                 \
                       [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3), TN_OUT                                          \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PACKED_3(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_ZERO("0") TN_ZERO("1") TN_ZERO("2"), TN_STEP_3 TN_STEP_3, finish)                     \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), \
                       [e] "=&r"(e), TN_OUT                                                                            \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PACKED_2(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_ZERO("0") TN_ZERO("1"), TN_STEP_2 TN_STEP_2, finish)                       \
                     : [r0] "=&r"(r0), [r1] "=&r"(r1), [s0] "=&r"(s0), [s1] "=&r"(s1), [e] "=&r"(e), TN_OUT            \
                     : TN_IN                                                                                           \
                     : "memory", "cc")
#define TN_PACKED_1(finish)                                                                                            \
    __asm__ volatile(TN_PAIRS(TN_ZERO("0"), TN_FOUR_TIMES(TN_STEP_1), finish)                                          \
                     : [r0] "=&r"(r0), [s0] "=&r"(s0), [e] "=&r"(e), [f] "=&r"(f), TN_OUT                              \
                     : TN_IN                                                                                           \
                     : "memory", "cc")

/* Where the loops of `pixels` pixels begin: the first step of four is before the round. */
TN_INLINE uint32_t tn_packed_entry(uint32_t pixels, uint32_t steps)
{
    const uint32_t bytes = (uint32_t)TN_BYTES_4 << 24 | TN_BYTES_3 << 16 | TN_BYTES_2 << 8 | TN_BYTES_1;
    return tn_entry(steps - (pixels > 3), pixels / 2 == 1 ? 2 : TN_UNROLLED, (bytes >> 8 * (pixels - 1)) % 256);
}

/* Sums of pairs of channels with `pixels` pixels, and their outputs. */
TN_INLINE void tn_packed_channels(tn_channels *channels, uint32_t pixels, const int planes)
{
    int32_t r0, r1, r2, r3, s0, s1, s2, s3;
    TN_TEMPORARIES;
    if (pixels == 4 && planes) {
        TN_PACKED_4(TN_APART_4 TN_FINISH_PLANES(4));
    } else if (pixels == 4) {
        TN_PACKED_4(TN_APART_4 TN_FINISH_ROWS(4));
    } else if (pixels == 3 && planes) {
        TN_PACKED_3(TN_APART_3 TN_FINISH_PLANES(3));
    } else if (pixels == 3) {
        TN_PACKED_3(TN_APART_3 TN_FINISH_ROWS(3));
    } else if (pixels == 2 && planes) {
        TN_PACKED_2(TN_APART_2 TN_FINISH_PLANES(2));
    } else if (pixels == 2) {
        TN_PACKED_2(TN_APART_2 TN_FINISH_ROWS(2));
    } else if (planes) {
        TN_PACKED_1(TN_APART_1 TN_FINISH_PLANES(1));
    } else {
        TN_PACKED_1(TN_APART_1 TN_FINISH_ROW);
    }
}
#else
/* The same by the definition of the layout. */
TN_NOINLINE static void tn_packed_channels(tn_channels *channels, uint32_t pixels, const int planes)
{
    const uint32_t *const widened = channels->widened;
    const uint32_t depth = (uint32_t)(channels->end - widened) * 2 / pixels;
    const uint32_t apart = planes ? channels->step : 1; /* bytes from a channel to the next */
    for (; channels->weights != channels->last; channels->weights += depth + TN_PAIR_CONSTANTS) {
        const int16_t *const behind = channels->weights + depth;
        int32_t constants[2][TN_CONSTANTS];
        tn_pair_constants(behind, behind + 4, constants);
        for (uint32_t i = 0; i < pixels; i++) {
            uint32_t whole = 0, low = 0; /* the first may wrap around, as SMLAD does */
            int8_t *const out = channels->out + i * (planes ? 2 : channels->step);
            for (uint32_t k = 0; k < depth; k++) {
                const uint32_t word = widened[k / 2 * pixels + i];
                const int32_t value = k % 2 ? tn_high(word) : tn_low(word);
                whole += (uint32_t)(channels->weights[k] * value);
                low += (uint32_t)((int8_t)channels->weights[k] * value);
            }
            tn_write(constants[0][TN_BIAS] + (int32_t)low * 2, constants[0], planes, out);
            tn_write(constants[1][TN_BIAS] + ((int32_t)(whole - low) >> 7), constants[1], planes, out + apart);
        }
        channels->out += 2 * apart;
    }
}

TN_INLINE uint32_t tn_packed_entry(uint32_t pixels, uint32_t steps)
{
    (void)pixels;
    (void)steps;
    return 0;
}
#endif

#define TN_BLOCK_CHANNELS tn_packed_channels
#define TN_BLOCK_ENTRY tn_packed_entry
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
