/* Blocks: four (three, two, one) pixels times two output channels, as all fast convolutions and dense layers are computed.
 *
 * The inputs of the pixels are widened to int16 into scratch, pairs of one pixel in a word, the pixels side by side:
 *
 *     word   0       1       2       3       4       5     ...           of four pixels p, q, r, s
 *            p0 p2   q0 q2   r0 r2   s0 s2   p1 p3   q1 q3 ...           (the lower half first)
 *
 * The order of a pixel's values is the one in which SXTB16 leaves a word's bytes, 0 2 1 3, and the weights stand in it too.
 * Of the kernel's rows come the whole words first, then what is left over of each row, then anything up to a multiple of four, where weights are 0.
 *
 * Two layouts of weights, both by pairs of channels (o, o + 1), both as halfwords:
 *   packed   256 * w[o + 1] + w[o]: SMLAD of the word gives R = 256 * S1 + S0 and SMLAD of its SXTB16 gives S0, so that a
 *            halfword serves two channels; no larger than int8. 12 instructions for 16 products of four pixels.
 *   paired   2 * w[o] of a pair of values, then 2 * w[o + 1] of the same: 11 instructions, and nothing to take apart;
 *            twice as large.
 *
 * What else a pair of channels needs stands with its weights, in words, so that one pointer goes through all of it:
 *     packed   weights | twice the biases of o, o + 1 | multiplier, rounding, shift of o | the same of o + 1
 *     paired   twice the biases of o, o + 1 | weights | multiplier, rounding, shift of o | the same of o + 1
 */
#ifndef TN_BLOCKS_H
#define TN_BLOCKS_H

#include "tinynas_kernels.h"
#include "tn_arithmetic.h"
#include "tn_window.h"

/* What a step gathers from. */
typedef struct {
    const tn_blocks *layer;
    tn_window window;
    int32_t columns;   /* of the input */
    uint32_t channels; /* of the input */
    uint32_t words;    /* whole words of a kernel row */
    uint32_t tail;     /* bytes left over */
} tn_patch;

/* The input of a step. In blocks.c, as is what follows; what is written to is in targets.c. */
tn_patch tn_patch_at(const tn_op *op, int8_t *arena, int step);

/* The whole input of a dense layer as one pixel. */
tn_patch tn_patch_of_vector(const tn_op *op, int8_t *arena);

/* Widens the inputs of `pixels` (1 to 4) output pixels from column `column` on. */
void tn_widen(const tn_patch *patch, uint32_t column, uint32_t pixels, uint32_t *to);

/* The same of four pixels, or fewer, as they lie, `apart` bytes apart, of `words` whole words: what 1 x 1 kernels see. */
void tn_widen_four(const int8_t *in, uint32_t apart, uint32_t words, uint32_t *to);
void tn_widen_few(const int8_t *in, uint32_t apart, uint32_t words, uint32_t pixels, uint32_t *to);

/* The row of the output that a step makes. */
typedef struct {
    int8_t *row;
    uint32_t channels;
    uint32_t pitch;  /* bytes of a plane */
    int fresh;       /* whether the row may be its slot's first */
} tn_target;

tn_target tn_target_of(const tn_op *op, int8_t *arena, int step);

/* What is left to do with a row: margins of planes, clamping. */
void tn_finish_row(const tn_op *op, const tn_target *target);

/* The input's pixels where a window sees whole words of one that is inside, else 0. */
TN_INLINE const int8_t *tn_plain_pixels(const tn_patch *patch)
{
    const tn_blocks *const layer = patch->layer;
    const int plain = layer->kernel_rows == 1 && layer->kernel_columns == 1 && patch->window.inside && !layer->pad_left &&
                      !patch->tail && (layer->columns - 1) * layer->stride_columns < (uint32_t)patch->columns;
    return plain ? patch->window.first : 0;
}

/* An output channel's constants: twice its bias, its multiplier, its rounding (see tn_rounding), its right shift. Those of a
 * pair of channels are so many halfwords. */
enum { TN_BIAS, TN_MULTIPLIER, TN_ROUNDING, TN_SHIFT, TN_CONSTANTS, TN_PAIR_CONSTANTS = 4 * TN_CONSTANTS };

/* Two halves of a word. */
TN_INLINE int32_t tn_low(uint32_t word)
{
    return (int16_t)word;
}

TN_INLINE int32_t tn_high(uint32_t word)
{
    return (int32_t)word >> 16;
}

TN_INLINE uint32_t tn_halves(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16;
}

/* The channels of a block: what its loops begin with, and where they go on. */
typedef struct {
    int8_t *out;                   /* of the next channel's first pixel */
    const int16_t *weights, *last; /* of the next pair; behind those to be done */
    uint32_t step;                 /* bytes to the next pixel, or to the next plane */
    uint32_t *widened, *end;       /* the pixels, and behind them */
    uint32_t entry;                /* see tn_entry */
} tn_channels;

/* Values a step of the inner loops, and steps a round. */
enum { TN_STEP = 4, TN_UNROLLED = 4 };

#if TN_DSP

/* How far into a round of `round` steps the first of `steps` begins, in bytes; the last bit says Thumb. No step at all begins
 * behind the round. */
TN_INLINE uint32_t tn_entry(uint32_t steps, uint32_t round, uint32_t step_bytes)
{
    return (steps ? (round - 1) - (steps - 1) % round : round) * step_bytes | 1;
}

/* All pairs of channels with the pixels from `widened` to `end`: `begin` makes the sums, `round` adds to them, `finish`
 * writes the outputs. Every instruction of a round is four bytes long, so that `entry` can be a number of bytes; `enter` is
 * the address that it makes. */
#define TN_PAIRS(begin, round, finish)      \
    TN_SUMS(begin, round)                   \
    finish                                  \
    TN_UNTIL_LAST

#define TN_SUMS(begin, round)               \
    "adr.w  %[a], 2f                    \n" \
    "ldr    %[b], %[entry]              \n" \
    "add    %[a], %[a], %[b]            \n" \
    "str    %[a], %[enter]              \n" \
    "1:                                 \n" \
    "ldr    %[x], %[widened]            \n" \
    begin                                   \
    "ldr.w  pc, %[enter]                \n" \
    ".p2align 2                         \n" \
    "2:                                 \n" \
    round                                   \
    "ldr    %[a], %[end]                \n" \
    "cmp    %[x], %[a]                  \n" \
    "bne    2b                          \n"

#define TN_UNTIL_LAST                       \
    "ldr    %[a], %[last]               \n" \
    "cmp    %[w], %[a]                  \n" \
    "bne    1b                          \n"

#define TN_FOUR_TIMES(step) step step step step

/* Its operands but the sums. */
#define TN_OUT                                                                                                      \
    [w] "+r"(channels->weights), [x] "=&r"(x), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d),              \
        [out] "+m"(channels->out), [enter] "=&m"(enter)
#define TN_IN                                                                                                       \
    [entry] "m"(channels->entry), [widened] "m"(channels->widened), [end] "m"(channels->end),                       \
        [last] "m"(channels->last), [step] "m"(channels->step)

/* LDM loads by rising numbers of registers. */
#define TN_TEMPORARIES                                                                       \
    const uint32_t *x;                                                                       \
    register uint32_t a __asm__("r4"), b __asm__("r5"), c __asm__("r6"), d __asm__("r8");    \
    register uint32_t e __asm__("r9"), f __asm__("r10");                                     \
    uint32_t enter

/* Something for each of up to four pixels; s is "s" for the sums of the first channel, "r" for those of the second. */
#define TN_EACH_1(something, s) something(s "0")
#define TN_EACH_2(something, s) TN_EACH_1(something, s) something(s "1")
#define TN_EACH_3(something, s) TN_EACH_2(something, s) something(s "2")
#define TN_EACH_4(something, s) TN_EACH_3(something, s) something(s "3")

/* Multiplier, rounding and shift of the next channel. */
#define TN_LOAD_CHANNEL "ldm.w %[w]!, {%[a], %[b], %[c]} \n"

/* tn_rescale_narrow, and the zero point. */
#define TN_RESCALE(sum)                               \
    "smmlar %[d], %[" sum "], %[a], %[b]          \n" \
    "add    %[d], %[d], %[" sum "], asr #31       \n" \
    "asr    %[" sum "], %[d], %[c]                \n" \
    "ssat   %[" sum "], #8, %[" sum "]            \n"

/* The same where nothing below the zero point is kept: what the sign corrects is then cut off. */
#define TN_RECTIFY(sum)                               \
    "smmlar %[" sum "], %[" sum "], %[a], %[b]    \n" \
    "asr    %[" sum "], %[" sum "], %[c]          \n"

/* Rows: the outputs of a pixel's two channels are neighbours. */
#define TN_FINISH_ROWS(pixels)                           \
    TN_LOAD_CHANNEL TN_EACH_##pixels(TN_RESCALE, "s")    \
    TN_LOAD_CHANNEL TN_EACH_##pixels(TN_RESCALE, "r")    \
    "ldr    %[x], %[out]                             \n" \
    TN_EACH_##pixels(TN_JOIN, "") TN_ROWS_##pixels       \
    "strh   %[s0], [%[x]], #2                        \n" \
    "str    %[x], %[out]                             \n"
#define TN_JOIN(pixel) "bfi %[s" pixel "], %[r" pixel "], #8, #8 \n"
/* All pixels but the first. */
#define TN_ROWS_2 "ldr %[a], %[step] \n" "strh %[s1], [%[x], %[a]] \n"
#define TN_ROWS_3 TN_ROWS_2 "add %[b], %[x], %[a], lsl #1 \n" "strh %[s2], [%[b]] \n"
#define TN_ROWS_4 TN_ROWS_3 "strh %[s3], [%[b], %[a]] \n"

/* A single pixel leaves registers for the constants of both channels. */
#define TN_FINISH_ROW                                                 \
    "ldm.w  %[w]!, {%[a], %[b], %[c], %[d], %[e], %[f]}           \n" \
    "smmlar %[x], %[s0], %[a], %[b]                               \n" \
    "smmlar %[a], %[r0], %[d], %[e]                               \n" \
    "add    %[x], %[x], %[s0], asr #31                            \n" \
    "add    %[a], %[a], %[r0], asr #31                            \n" \
    "asr    %[s0], %[x], %[c]                                     \n" \
    "ldr    %[x], %[out]                                          \n" \
    "asr    %[r0], %[a], %[f]                                     \n" \
    "ssat   %[s0], #8, %[s0]                                      \n" \
    "ssat   %[r0], #8, %[r0]                                      \n" \
    TN_JOIN("0")                                                      \
    "strh   %[s0], [%[x]], #2                                     \n" \
    "str    %[x], %[out]                                          \n"

/* Planes: the outputs of two pixels are neighbours, and those of a channel. */
#define TN_FINISH_PLANES(pixels)                                                  \
    TN_LOAD_CHANNEL                                                               \
    "ldr    %[x], %[out]                                                      \n" \
    "ldr    %[d], %[step]                                                     \n" \
    TN_EACH_##pixels(TN_RECTIFY, "s") TN_PLANE_##pixels("s") TN_LOAD_CHANNEL      \
    TN_EACH_##pixels(TN_RECTIFY, "r") TN_PLANE_##pixels("r")                      \
    "str    %[x], %[out]                                                      \n"
#define TN_PLANE_1(s) TN_PLANE_SINGLE(s "0", "0") TN_NEXT_PLANE
#define TN_PLANE_2(s) TN_PLANE_PAIR(s "0", s "1", "0") TN_NEXT_PLANE
#define TN_PLANE_3(s) TN_PLANE_PAIR(s "0", s "1", "0") TN_PLANE_SINGLE(s "2", "4") TN_NEXT_PLANE
#define TN_PLANE_4(s) TN_PLANE_PAIR(s "0", s "1", "0") TN_PLANE_PAIR(s "2", s "3", "4") TN_NEXT_PLANE
#define TN_NEXT_PLANE "add %[x], %[x], %[d] \n"
#define TN_PLANE_PAIR(s, t, at)                           \
    "pkhbt  %[" s "], %[" s "], %[" t "], lsl #16     \n" \
    "usat16 %[" s "], #8, %[" s "]                    \n" \
    "str    %[" s "], [%[x], #" at "]                 \n"
#define TN_PLANE_SINGLE(s, at)                            \
    "usat   %[" s "], #8, %[" s "]                    \n" \
    "strh   %[" s "], [%[x], #" at "]                 \n"

#else

/* Writes an output; x is twice a sum with its bias. */
TN_INLINE void tn_write(int32_t x, const int32_t *constants, int planes, int8_t *out)
{
    const int32_t high = tn_high_plus(x, constants[TN_MULTIPLIER], constants[TN_ROUNDING]);
    if (planes) { /* nothing below the zero point is kept, which is all that the sign would correct */
        *(int16_t *)(void *)out = (int16_t)tn_clamp(high >> constants[TN_SHIFT], 0, 255);
    } else {
        *out = tn_saturate((high + (x >> 31)) >> constants[TN_SHIFT]);
    }
}

/* The constants of a pair of channels, whose biases and whose other constants begin at these halfwords. */
TN_INLINE void tn_pair_constants(const int16_t *biases, const int16_t *others, int32_t constants[2][TN_CONSTANTS])
{
    for (uint32_t channel = 0; channel < 2; channel++) {
        memcpy(constants[channel] + TN_BIAS, biases + 2 * channel, 4);
        memcpy(constants[channel] + TN_MULTIPLIER, others + 6 * channel, 12);
    }
}
#endif

#endif
