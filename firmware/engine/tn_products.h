/* Sums of int8 products and their requantisation: what convolutions and dense layers share. */
#ifndef TN_PRODUCTS_H
#define TN_PRODUCTS_H

#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

/* One more product. The sum wraps around, as SMLAD's does: a folded bias may be beyond 32 bits where the whole is not. */
TN_INLINE int32_t tn_multiply_add(int32_t a, int32_t b, int32_t sum)
{
    return (int32_t)((uint32_t)sum + (uint32_t)(a * b));
}

/* A channel is narrow where tn_finished is exact for it: its layer is (see tn_conv), and its shift is -22..-1. The zero
 * point is in the rounding, which together with a product below 2^30 must stay in 32 bits. */
enum { TN_NARROW_SHIFT = 22 };

TN_INLINE int tn_is_short(int32_t shift)
{
    return (uint32_t)(shift + TN_NARROW_SHIFT) < TN_NARROW_SHIFT;
}

/* Whether four channels are, from `channel` on. */
TN_INLINE int tn_are_narrow(const tn_conv *conv, uint32_t channel)
{
#if TN_DSP
    /* The shift's byte plus 22 carries just when it is -22..-1; SEL picks a 0 for each carry. */
    (void)__uadd8(tn_load4(conv->shifts + channel), 0x01010101u * TN_NARROW_SHIFT);
    return conv->narrow && __sel(0, 0xffffffffu) == 0;
#else
    const int8_t *const shifts = conv->shifts + channel;
    return conv->narrow && tn_is_short(shifts[0]) && tn_is_short(shifts[1]) && tn_is_short(shifts[2]) &&
           tn_is_short(shifts[3]);
#endif
}

/* 2 * zero point + 1: as many halves as the outputs are moved and rounded by. */
TN_INLINE int32_t tn_zero(const tn_conv *conv)
{
    return 2 * conv->output_zero + 1;
}

/* What tn_finished adds: half of what it divides by, and the zero point times that. `zero` is tn_zero's. */
TN_INLINE int32_t tn_rounding(int32_t zero, int32_t shift)
{
    return (int32_t)((uint32_t)zero << (-shift - 1));
}

/* The output of a narrow channel's sum: tn_rescale_narrow, plus the zero point, saturated. */
TN_INLINE int8_t tn_finished(int32_t sum, int32_t multiplier, int32_t shift, int32_t rounding)
{
    const int32_t twice = sum * 2;
    return tn_saturate((tn_high_plus(twice, multiplier, rounding) + (twice >> 31)) >> -shift);
}

/* `count` outputs of any channels, narrow or not: sums[i] is of channel + i * channel_step and goes to
 * out[i * out_step]. A call, for what is seldom needed. In products.c. */
void tn_outputs(const tn_conv *conv, uint32_t channel, uint32_t channel_step, const int32_t *sums, uint32_t count,
                int8_t *out, uint32_t out_step);

/* The outputs of four narrow channels, whose tables start here. */
TN_INLINE void tn_finish_four(const int32_t *multipliers, const int8_t *shifts, int32_t zero, int32_t s0, int32_t s1,
                              int32_t s2, int32_t s3, int8_t *out)
{
#if TN_DSP
    /* tn_finished in 11 instructions. GCC's own come to 16, as it forgets that the tables are walked. */
    int32_t multiplier, shift, rounding;
#define TN_FINISH(sum)                                 \
    "ldrsb  %[shift], [%[shifts]], #1             \n" \
    "ldr    %[multiplier], [%[multipliers]], #4   \n" \
    "lsl    " sum ", " sum ", #1                  \n" \
    "mvn    %[rounding], %[shift]                 \n" \
    "rsb    %[shift], %[shift], #0                \n" \
    "lsl    %[rounding], %[zero], %[rounding]     \n" \
    "smmlar %[multiplier], " sum ", %[multiplier], %[rounding] \n" \
    "add    %[multiplier], %[multiplier], " sum ", asr #31 \n" \
    "asr    %[multiplier], %[multiplier], %[shift] \n" \
    "ssat   %[multiplier], #8, %[multiplier]      \n" \
    "strb   %[multiplier], [%[out]], #1           \n"
    __asm__ volatile(TN_FINISH("%[s0]") TN_FINISH("%[s1]") TN_FINISH("%[s2]") TN_FINISH("%[s3]")
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [out] "+r"(out),
                       [multipliers] "+r"(multipliers), [shifts] "+r"(shifts), [multiplier] "=&r"(multiplier),
                       [shift] "=&r"(shift), [rounding] "=&r"(rounding)
                     : [zero] "r"(zero)
                     : "memory");
#undef TN_FINISH
#else
    out[0] = tn_finished(s0, multipliers[0], shifts[0], tn_rounding(zero, shifts[0]));
    out[1] = tn_finished(s1, multipliers[1], shifts[1], tn_rounding(zero, shifts[1]));
    out[2] = tn_finished(s2, multipliers[2], shifts[2], tn_rounding(zero, shifts[2]));
    out[3] = tn_finished(s3, multipliers[3], shifts[3], tn_rounding(zero, shifts[3]));
#endif
}

/* In products.c, too: output channels first..last-1 of one pixel: each is its row of weights times the `depth` bytes at x. */
void tn_pixel(const tn_conv *conv, uint32_t first, uint32_t last, const int8_t *x, int8_t *out);

/* The same of 2 * pairs pixels, whose inputs are x_step bytes apart and whose outputs out_step. */
void tn_pixel_pairs(const tn_conv *conv, uint32_t first, uint32_t last, const int8_t *x, uint32_t x_step,
                    uint32_t pairs, int8_t *out, uint32_t out_step);

#endif
