/* Sums of products. A block multiplies some input vectors with some rows of weights, all of `depth` bytes, so that a
 * word once loaded serves several products. How many is a matter of registers: an Armv7-M core has fourteen.
 *
 * On cores with the DSP extension SMLAD adds two products of int16. SXTB16 makes two int16 of a word's bytes 0 and 2,
 * with a rotation of its bytes 1 and 3; as both factors are taken apart alike, their order does not matter. The steps
 * below are assembly because GCC runs out of registers when it allocates them itself.
 */
#include "tn_products.h"

void tn_outputs(const tn_conv *conv, uint32_t channel, uint32_t channel_step, const int32_t *sums, uint32_t count,
                int8_t *out, uint32_t out_step)
{
    for (; count; count--, channel += channel_step, out += out_step) {
        *out = tn_rescale_wide(*sums++, conv->multipliers[channel], conv->shifts[channel], conv->output_zero);
    }
}

#if TN_DSP
/* Four more products for each sum of two vectors x0, x1 by two rows v, w: 16 products in 20 instructions. */
#define TN_STEP_2X2                    \
    "ldr    %[d], [%[x0]], #4      \n" \
    "ldr    %[f], [%[x1]], #4      \n" \
    "ldr    %[h], [%[v]], #4       \n" \
    "sxtb16 %[c], %[d]             \n" \
    "sxtb16 %[e], %[f]             \n" \
    "sxtb16 %[d], %[d], ror #8     \n" \
    "sxtb16 %[f], %[f], ror #8     \n" \
    "sxtb16 %[g], %[h]             \n" \
    "sxtb16 %[h], %[h], ror #8     \n" \
    "smlad  %[v0], %[g], %[c], %[v0] \n" \
    "smlad  %[v1], %[g], %[e], %[v1] \n" \
    "smlad  %[v0], %[h], %[d], %[v0] \n" \
    "smlad  %[v1], %[h], %[f], %[v1] \n" \
    "ldr    %[h], [%[w]], #4       \n" \
    "sxtb16 %[g], %[h]             \n" \
    "sxtb16 %[h], %[h], ror #8     \n" \
    "smlad  %[w0], %[g], %[c], %[w0] \n" \
    "smlad  %[w1], %[g], %[e], %[w1] \n" \
    "smlad  %[w0], %[h], %[d], %[w0] \n" \
    "smlad  %[w1], %[h], %[f], %[w1] \n"
#endif

/* Two pixels' outputs of a narrow channel. */
TN_INLINE void tn_output_pair(int32_t multiplier, int32_t shift, int32_t zero, int32_t s0, int32_t s1, int8_t *out,
                              uint32_t out_step)
{
    const int32_t rounding = tn_rounding(zero, shift);
    const int8_t y0 = tn_finished(s0, multiplier, shift, rounding);
    const int8_t y1 = tn_finished(s1, multiplier, shift, rounding);
    out[0] = y0;
    out[out_step] = y1;
}

/* Channels are the outer loop, so that a pair's weights are read from flash once a row and then come from the cache,
 * where there is one. An odd last channel is its own partner: it is made twice, to the same value. */
void tn_pixel_pairs(const tn_conv *conv, uint32_t first, uint32_t last, const int8_t *x, uint32_t x_step,
                    uint32_t pairs, int8_t *out, uint32_t out_step)
{
    const uint32_t depth = conv->depth;
    const int32_t zero = tn_zero(conv);
#if TN_DSP
    const uint32_t sixteens = depth / 16, fours = depth % 16 / 4, ones = depth % 4;
#endif
    const int layer_narrow = conv->narrow;
    const int32_t *bias = conv->bias + first;
    const int32_t *multipliers = conv->multipliers + first;
    const int8_t *shifts = conv->shifts + first;
    const int8_t *weights = conv->weights + first * depth;
    for (uint32_t channel = first; channel < last; channel += 2) {
        const uint32_t gap = channel + 1 < last; /* to the partner */
        const int8_t *const partner_weights = gap ? weights + depth : weights;
        const int8_t *in = x;
        int8_t *to = out + channel;
        for (uint32_t i = pairs; i; i--) {
            const int8_t *x0 = in, *x1 = in + x_step;
            const int8_t *v = weights, *w = partner_weights;
            int32_t v0 = bias[0], v1 = v0, w0 = bias[gap], w1 = w0;
            uint32_t left = depth;
#if TN_DSP
            uint32_t c, d, e, f, g, h, round; /* the round is in memory, as all registers are taken */
            __asm__ volatile("ldr  %[c], %[sixteens] \n"
                             "cmp  %[c], #0          \n"
                             "beq  2f                \n"
                             "1:                     \n"
                             "str  %[c], %[round]    \n"
                             TN_STEP_2X2 TN_STEP_2X2 TN_STEP_2X2 TN_STEP_2X2
                             "ldr  %[c], %[round]    \n"
                             "subs %[c], %[c], #1    \n"
                             "bne  1b                \n"
                             "2:                     \n"
                             "ldr  %[c], %[fours]    \n"
                             "cmp  %[c], #0          \n"
                             "beq  4f                \n"
                             "3:                     \n"
                             "str  %[c], %[round]    \n"
                             TN_STEP_2X2
                             "ldr  %[c], %[round]    \n"
                             "subs %[c], %[c], #1    \n"
                             "bne  3b                \n"
                             "4:                     \n"
                             : [x0] "+r"(x0), [x1] "+r"(x1), [v] "+r"(v), [w] "+r"(w), [v0] "+r"(v0), [v1] "+r"(v1),
                               [w0] "+r"(w0), [w1] "+r"(w1), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f),
                               [g] "=&r"(g), [h] "=&r"(h), [round] "=m"(round)
                             : [sixteens] "m"(sixteens), [fours] "m"(fours)
                             : "memory", "cc");
            left = ones;
#endif
            for (; left; left--) {
                const int32_t a = *x0++, b = *x1++;
                v0 = tn_multiply_add(*v, a, v0);
                v1 = tn_multiply_add(*v++, b, v1);
                w0 = tn_multiply_add(*w, a, w0);
                w1 = tn_multiply_add(*w++, b, w1);
            }
            const int32_t shift_v = shifts[0], shift_w = shifts[gap];
            if (layer_narrow && tn_is_short(shift_v) && tn_is_short(shift_w)) {
                tn_output_pair(multipliers[0], shift_v, zero, v0, v1, to, out_step);
                tn_output_pair(multipliers[gap], shift_w, zero, w0, w1, to + gap, out_step);
            } else {
                const int32_t sums_v[2] = {v0, v1}, sums_w[2] = {w0, w1};
                tn_outputs(conv, channel, 0, sums_v, 2, to, out_step);
                tn_outputs(conv, channel + gap, 0, sums_w, 2, to + gap, out_step);
            }
            in += 2 * x_step;
            to += 2 * out_step;
        }
        bias += 2;
        multipliers += 2;
        shifts += 2;
        weights += 2 * depth;
    }
}

#if TN_DSP
/* Four more products for each sum of one vector by four rows: 16 products in 23 instructions. */
#define TN_ROW_1X4(pointer, sum)           \
    "ldr    %[f], [" pointer "], #4    \n" \
    "sxtb16 %[e], %[f]                 \n" \
    "sxtb16 %[f], %[f], ror #8         \n" \
    "smlad  " sum ", %[e], %[c], " sum " \n" \
    "smlad  " sum ", %[f], %[d], " sum " \n"

#define TN_STEP_1X4               \
    "ldr    %[d], [%[x]], #4  \n" \
    "sxtb16 %[c], %[d]        \n" \
    "sxtb16 %[d], %[d], ror #8 \n" \
    TN_ROW_1X4("%[s]", "%[s0]") TN_ROW_1X4("%[t]", "%[t0]") TN_ROW_1X4("%[v]", "%[v0]") TN_ROW_1X4("%[w]", "%[w0]")

#define TN_BLOCK_1X4(steps)                                                                                   \
    {                                                                                                         \
        uint32_t c, d, e, f;                                                                                  \
        __asm__ volatile(steps                                                                                \
                         : [x] "+r"(in), [s] "+r"(s), [t] "+r"(t), [v] "+r"(v), [w] "+r"(w), [s0] "+r"(s0),   \
                           [t0] "+r"(t0), [v0] "+r"(v0), [w0] "+r"(w0), [c] "=&r"(c), [d] "=&r"(d),           \
                           [e] "=&r"(e), [f] "=&r"(f)                                                         \
                         :                                                                                    \
                         : "memory");                                                                         \
    }
#endif

/* Channels by fours. The last stands in for those that an incomplete last four lacks. */
void tn_pixel(const tn_conv *conv, uint32_t first, uint32_t last, const int8_t *x, int8_t *out)
{
    const uint32_t depth = conv->depth;
    const int32_t zero = tn_zero(conv);
    for (uint32_t channel = first; channel < last; channel += 4) {
        const uint32_t second = tn_min(channel + 1, last - 1);
        const uint32_t third = tn_min(channel + 2, last - 1);
        const uint32_t fourth = tn_min(channel + 3, last - 1);
        const int8_t *s = conv->weights + channel * depth;
        const int8_t *t = conv->weights + second * depth;
        const int8_t *v = conv->weights + third * depth;
        const int8_t *w = conv->weights + fourth * depth;
        int32_t s0 = conv->bias[channel], t0 = conv->bias[second];
        int32_t v0 = conv->bias[third], w0 = conv->bias[fourth];
        const int8_t *in = x;
        uint32_t left = depth;
#if TN_DSP
        for (; left >= 16; left -= 16) {
            TN_BLOCK_1X4(TN_STEP_1X4 TN_STEP_1X4 TN_STEP_1X4 TN_STEP_1X4)
        }
        for (; left >= 4; left -= 4) {
            TN_BLOCK_1X4(TN_STEP_1X4)
        }
#endif
        for (; left; left--) {
            const int32_t a = *in++;
            s0 = tn_multiply_add(*s++, a, s0);
            t0 = tn_multiply_add(*t++, a, t0);
            v0 = tn_multiply_add(*v++, a, v0);
            w0 = tn_multiply_add(*w++, a, w0);
        }
        if (channel + 4 <= last && tn_are_narrow(conv, channel)) {
            tn_finish_four(conv->multipliers + channel, conv->shifts + channel, zero, s0, t0, v0, w0, out + channel);
        } else {
            const int32_t sums[4] = {s0, t0, v0, w0};
            tn_outputs(conv, channel, 1, sums, tn_min(last - channel, 4), out + channel, 1);
        }
    }
}
