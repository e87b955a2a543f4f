/* Depthwise convolutions. */
#include "tn_products.h"
#include "tn_window.h"

/* Taps of a window: 11 x 11 fit. A larger one is computed from the map directly. */
enum { TN_TAPS = 122 };

/* Output pixels side by side whose windows lie alike: tap t of channel c of pixel i is taps[t][i * advance + c]. */
typedef struct {
    const int8_t *taps[TN_TAPS];
    uint32_t advance;
    uint32_t pixels;
    uint32_t channels;
} tn_stretch;

/* Channels first..last-1, by the definition of how weights are packed. */
static void tn_depthwise_lanes(const tn_conv *conv, const tn_stretch *stretch, uint32_t first, uint32_t last,
                               int8_t *out)
{
    const uint32_t pairs = (conv->depth + 1) / 2;
    uint32_t at = 0;
    for (uint32_t i = stretch->pixels; i; i--, at += stretch->advance, out += stretch->channels) {
        for (uint32_t c = first; c < last; c++) {
            const int8_t *weights = conv->weights + (c / 4) * pairs * 8 + (c & 2) * 2 + (c & 1);
            const int8_t *const *tap = stretch->taps;
            int32_t sum = conv->bias[c];
            for (uint32_t pair = pairs; pair; pair--, tap += 2, weights += 8) {
                sum = tn_multiply_add(tap[0][at + c], weights[0], sum);
                sum = tn_multiply_add(tap[1][at + c], weights[2], sum);
            }
            tn_outputs(conv, c, 0, &sum, 1, out + c, 0);
        }
    }
}

#if TN_DSP
/* Two taps, a and b, of four channels: 8 products in 19 instructions. The words of a and b are interleaved to pairs
 * a, b of one channel, which is how the weights stand. */
#define TN_TAP_PAIR                      \
    "ldrd   %[a], %[b], [%[tap]], #8 \n" \
    "ldr    %[a], [%[a], %[at]]      \n" \
    "ldr    %[b], [%[b], %[at]]      \n" \
    "ldr    %[w], [%[weights]], #4   \n" \
    "pkhbt  %[c], %[a], %[b], lsl #16 \n" \
    "pkhtb  %[a], %[b], %[a], asr #16 \n" \
    "sxtb16 %[b], %[c]               \n" \
    "sxtb16 %[d], %[w]               \n" \
    "smlad  %[s0], %[b], %[d], %[s0] \n" \
    "sxtb16 %[c], %[c], ror #8       \n" \
    "sxtb16 %[w], %[w], ror #8       \n" \
    "smlad  %[s1], %[c], %[w], %[s1] \n" \
    "ldr    %[w], [%[weights]], #4   \n" \
    "sxtb16 %[b], %[a]               \n" \
    "sxtb16 %[d], %[w]               \n" \
    "smlad  %[s2], %[b], %[d], %[s2] \n" \
    "sxtb16 %[a], %[a], ror #8       \n" \
    "sxtb16 %[w], %[w], ror #8       \n" \
    "smlad  %[s3], %[a], %[w], %[s3] \n"
#endif

/* Channels by fours, the first `fours` of them: each four of all pixels before the next, whose weights then come from the
 * cache, where there is one. Without DSP a pair of taps takes a load of its pointer, and a load of each factor, for all
 * four: 40 RISC-V instructions for 8 products. */
static void tn_depthwise_fours(const tn_conv *conv, const tn_stretch *stretch, uint32_t fours, int8_t *out)
{
    const uint32_t pairs = (conv->depth + 1) / 2;
#if TN_DSP
    const uint32_t fives = pairs / 5, ones = pairs % 5; /* 3 x 3 has one five, 7 x 7 has five */
#endif
    const uint32_t advance = stretch->advance, channels = stretch->channels, pixels = stretch->pixels;
    const int32_t zero = tn_zero(conv);
    const int32_t *bias = conv->bias;
    const int32_t *multipliers = conv->multipliers;
    const int8_t *shifts = conv->shifts;
    const int8_t *packed = conv->weights;

    for (uint32_t channel = 0; channel < fours; channel += 4) {
        const int narrow = tn_are_narrow(conv, channel);
        int8_t *to = out + channel;
        uint32_t at = channel;
        for (uint32_t i = pixels; i; i--, at += advance, to += channels) {
            const int8_t *const *tap = stretch->taps;
            const int8_t *weights = packed;
            int32_t s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];
#if TN_DSP
            uint32_t a, b, c, d, w, left;
            __asm__ volatile("ldr  %[left], %[fives]    \n"
                             "cmp  %[left], #0          \n"
                             "beq  2f                   \n"
                             "1:                        \n"
                             TN_TAP_PAIR TN_TAP_PAIR TN_TAP_PAIR TN_TAP_PAIR TN_TAP_PAIR
                             "subs %[left], %[left], #1 \n"
                             "bne  1b                   \n"
                             "2:                        \n"
                             "ldr  %[left], %[ones]     \n"
                             "cmp  %[left], #0          \n"
                             "beq  4f                   \n"
                             "3:                        \n"
                             TN_TAP_PAIR
                             "subs %[left], %[left], #1 \n"
                             "bne  3b                   \n"
                             "4:                        \n"
                             : [tap] "+r"(tap), [weights] "+r"(weights), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),
                               [s3] "+r"(s3), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [w] "=&r"(w),
                               [left] "=&r"(left)
                             : [at] "r"(at), [fives] "m"(fives), [ones] "m"(ones)
                             : "memory", "cc");
#else
            for (const int8_t *const *const end = tap + 2 * pairs; tap < end; tap += 2, weights += 8) {
                const int8_t *const a = tap[0] + at, *const b = tap[1] + at;
                s0 = tn_multiply_add(b[0], weights[2], tn_multiply_add(a[0], weights[0], s0));
                s1 = tn_multiply_add(b[1], weights[3], tn_multiply_add(a[1], weights[1], s1));
                s2 = tn_multiply_add(b[2], weights[6], tn_multiply_add(a[2], weights[4], s2));
                s3 = tn_multiply_add(b[3], weights[7], tn_multiply_add(a[3], weights[5], s3));
            }
#endif
            if (narrow) {
                tn_finish_four(multipliers, shifts, zero, s0, s1, s2, s3, to);
            } else {
                const int32_t sums[4] = {s0, s1, s2, s3};
                tn_outputs(conv, channel, 1, sums, 4, to, 1);
            }
        }
        bias += 4;
        multipliers += 4;
        shifts += 4;
        packed += pairs * 8;
    }
}

static void tn_depthwise_stretch(const tn_conv *conv, const tn_stretch *stretch, int8_t *out)
{
    const uint32_t fours = stretch->channels & ~3u;
    tn_depthwise_fours(conv, stretch, fours, out);
    if (fours < stretch->channels) {
        tn_depthwise_lanes(conv, stretch, fours, stretch->channels, out);
    }
}

/* Where the taps of the window lie whose first column is x. Outside the map they are padding. */
static void tn_depthwise_taps(const tn_conv *conv, const tn_window *window, const tn_map *input, int32_t x,
                              const int8_t **taps)
{
    const uint32_t below = (uint32_t)(conv->kernel_rows - window->above - window->inside);
    const int32_t end = x + conv->kernel_columns;
    const int8_t *row = window->first;
    const int8_t **tap = taps;
    for (uint32_t i = window->above * conv->kernel_columns; i; i--) {
        *tap++ = conv->padding;
    }
    for (uint32_t ky = 0; ky < window->inside; ky++) {
        for (int32_t column = x; column < end; column++) {
            const int inside = column >= 0 && column < (int32_t)input->columns;
            *tap++ = inside ? row + (uint32_t)column * input->channels : conv->padding;
        }
        row = tn_next_row(window, row);
    }
    for (uint32_t i = below * conv->kernel_columns; i; i--) {
        *tap++ = conv->padding;
    }
    *tap = taps[0]; /* the partner of an odd last tap; its weights are 0 */
}

/* A row of a window with too many taps for the table of pointers. */
static void tn_depthwise_large(const tn_conv *conv, const tn_window *window, const tn_map *input, uint32_t columns,
                               int8_t *out)
{
    const uint32_t channels = input->channels;
    const uint32_t pairs = (conv->depth + 1) / 2;
    for (uint32_t column = 0; column < columns; column++) {
        const int32_t x = (int32_t)(column * conv->stride_columns) - conv->pad_left;
        for (uint32_t c = 0; c < channels; c++) {
            const int8_t *const weights = conv->weights + c / 4 * pairs * 8 + (c & 2) * 2 + (c & 1);
            const int8_t *row = window->first;
            int32_t sum = conv->bias[c];
            uint32_t tap = 0;
            for (uint32_t ky = 0; ky < conv->kernel_rows; ky++) {
                const int inside = ky >= window->above && ky < window->above + window->inside;
                for (int32_t kx = 0; kx < conv->kernel_columns; kx++, tap++) {
                    const int32_t at = x + kx;
                    const int valid = inside && at >= 0 && at < (int32_t)input->columns;
                    const int8_t value = valid ? row[(uint32_t)at * channels + c] : conv->padding[0];
                    sum = tn_multiply_add(value, weights[tap / 2 * 8 + (tap & 1) * 2], sum);
                }
                row = inside ? tn_next_row(window, row) : row;
            }
            tn_outputs(conv, c, 0, &sum, 1, out++, 0);
        }
    }
}

void tn_depthwise(const tn_op *op, int8_t *arena, int step)
{
    const tn_conv *const conv = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = input->channels;
    const uint32_t columns = op->output->columns;
    const int32_t stride = conv->stride_columns;
    const int32_t rightmost = (int32_t)input->columns - conv->kernel_columns;
    const tn_window window = tn_window_at(input, arena, step * conv->stride_rows - conv->pad_top, conv->kernel_rows);
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);

    if (conv->depth >= TN_TAPS) {
        tn_depthwise_large(conv, &window, input, columns, row);
    } else {
        tn_stretch stretch;
        stretch.advance = conv->stride_columns * channels;
        stretch.channels = channels;
        for (uint32_t column = 0; column < columns; column += stretch.pixels) {
            const int32_t x = (int32_t)column * stride - conv->pad_left;
            tn_depthwise_taps(conv, &window, input, x, stretch.taps);
            stretch.pixels = 1;
            if (window.inside == conv->kernel_rows && x >= 0 && x <= rightmost) {
                /* no padding: all pixels to the last such one are alike */
                stretch.pixels = tn_min((uint32_t)((rightmost - x) / stride) + 1, columns - column);
            }
            tn_depthwise_stretch(conv, &stretch, row + column * channels);
        }
    }
    tn_clamp_row(row, columns * channels, conv->low, conv->high);
}

/* Several output channels of each input channel, c * multiplier + m. Rare, and not made to be fast. */
void tn_depthwise_multiplied(const tn_op *op, int8_t *arena, int step)
{
    const tn_conv *const conv = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = op->output->channels;
    const uint32_t columns = op->output->columns;
    const uint32_t multiplier = channels / input->channels;
    const tn_window window = tn_window_at(input, arena, step * conv->stride_rows - conv->pad_top, conv->kernel_rows);
    int8_t *const out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t column = 0; column < columns; column++) {
        const int32_t x = (int32_t)(column * conv->stride_columns) - conv->pad_left;
        for (uint32_t o = 0; o < channels; o++) {
            const int8_t *weight = conv->weights + o;
            const int8_t *row = window.first;
            int32_t sum = conv->bias[o];
            for (uint32_t ky = 0; ky < conv->kernel_rows; ky++) {
                const int inside = ky >= window.above && ky < window.above + window.inside;
                for (int32_t kx = 0; kx < conv->kernel_columns; kx++, weight += channels) {
                    const int32_t at = x + kx;
                    const int valid = inside && at >= 0 && at < (int32_t)input->columns;
                    const int8_t value =
                        valid ? row[(uint32_t)at * input->channels + o / multiplier] : conv->padding[0];
                    sum = tn_multiply_add(value, *weight, sum);
                }
                row = inside ? tn_next_row(&window, row) : row;
            }
            tn_outputs(conv, o, 0, &sum, 1, out + column * channels + o, 0);
        }
    }
    tn_clamp_row(out, columns * channels, conv->low, conv->high);
}
