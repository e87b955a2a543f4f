/* Depthwise convolutions of planes (tn_planes.h), of kernels of 5 and 7 columns. Instructions of the inner loops: 5 columns 20
 * (stride 2: 21) and 7 columns 27 (28) for a row of four outputs.
 */
#include "tn_planes.h"

#if !TN_DSP
void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}
#else
/* The words a b c d (e) of a row of four outputs s0..s3, stride 1. */
#define TN_ROW_5                           \
    "ldr    %[c], [%[rows]], #4        \n" \
    "add    %[c], %[c], %[at]          \n" \
    "ldrd   %[u], %[v], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[c]]         \n" \
    "ldrd   %[c], %[d], [%[c], #8]     \n" \
    "smlad  %[s0], %[a], %[u], %[s0]   \n" \
    "smlatb %[s1], %[a], %[u], %[s1]   \n" \
    "smlad  %[s2], %[b], %[u], %[s2]   \n" \
    "smlatb %[s3], %[b], %[u], %[s3]   \n" \
    "smlad  %[s0], %[b], %[v], %[s0]   \n" \
    "smlad  %[s2], %[c], %[v], %[s2]   \n" \
    "ldrd   %[u], %[v], [%[w]], #8     \n" \
    "smlad  %[s1], %[b], %[u], %[s1]   \n" \
    "smlad  %[s3], %[c], %[u], %[s3]   \n" \
    "smlabt %[s0], %[c], %[v], %[s0]   \n" \
    "smlad  %[s1], %[c], %[v], %[s1]   \n" \
    "smlabt %[s2], %[d], %[v], %[s2]   \n" \
    "smlad  %[s3], %[d], %[v], %[s3]   \n"
#define TN_ROW_7                           \
    "ldr    %[e], [%[rows]], #4        \n" \
    "add    %[e], %[e], %[at]          \n" \
    "ldrd   %[u], %[v], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[e]]         \n" \
    "ldrd   %[c], %[d], [%[e], #8]     \n" \
    "ldr    %[e], [%[e], #16]          \n" \
    "smlad  %[s0], %[a], %[u], %[s0]   \n" \
    "smlatb %[s1], %[a], %[u], %[s1]   \n" \
    "smlad  %[s2], %[b], %[u], %[s2]   \n" \
    "smlatb %[s3], %[b], %[u], %[s3]   \n" \
    "smlad  %[s0], %[b], %[v], %[s0]   \n" \
    "smlad  %[s2], %[c], %[v], %[s2]   \n" \
    "ldrd   %[u], %[v], [%[w]], #8     \n" \
    "smlad  %[s0], %[c], %[u], %[s0]   \n" \
    "smlad  %[s2], %[d], %[u], %[s2]   \n" \
    "smlad  %[s1], %[b], %[v], %[s1]   \n" \
    "smlad  %[s3], %[c], %[v], %[s3]   \n" \
    "ldrd   %[u], %[v], [%[w]], #8     \n" \
    "smlad  %[s1], %[c], %[u], %[s1]   \n" \
    "smlad  %[s3], %[d], %[u], %[s3]   \n" \
    "smlabt %[s0], %[d], %[v], %[s0]   \n" \
    "smlad  %[s1], %[d], %[v], %[s1]   \n" \
    "smlabt %[s2], %[e], %[v], %[s2]   \n" \
    "smlad  %[s3], %[e], %[v], %[s3]   \n"
/* The same with stride 2: six and seven words, of which c walks through the row. */
#define TN_ROW_5_2                         \
    "ldr    %[c], [%[rows]], #4        \n" \
    "add    %[c], %[c], %[at]          \n" \
    "ldr    %[d], [%[w], #12]          \n" \
    "ldrd   %[u], %[v], [%[w]], #16    \n" \
    "ldrd   %[a], %[b], [%[c]], #8     \n" \
    "smlad  %[s0], %[a], %[u], %[s0]   \n" \
    "smlad  %[s0], %[b], %[v], %[s0]   \n" \
    "smlad  %[s1], %[b], %[u], %[s1]   \n" \
    "ldrd   %[a], %[b], [%[c]], #8     \n" \
    "smlabt %[s0], %[a], %[d], %[s0]   \n" \
    "smlad  %[s1], %[a], %[v], %[s1]   \n" \
    "smlad  %[s2], %[a], %[u], %[s2]   \n" \
    "smlabt %[s1], %[b], %[d], %[s1]   \n" \
    "smlad  %[s2], %[b], %[v], %[s2]   \n" \
    "smlad  %[s3], %[b], %[u], %[s3]   \n" \
    "ldrd   %[a], %[b], [%[c]]         \n" \
    "smlabt %[s2], %[a], %[d], %[s2]   \n" \
    "smlad  %[s3], %[a], %[v], %[s3]   \n" \
    "smlabt %[s3], %[b], %[d], %[s3]   \n"
#define TN_ROW_7_2                         \
    "ldr    %[c], [%[rows]], #4        \n" \
    "add    %[c], %[c], %[at]          \n" \
    "ldr    %[e], [%[w], #20]          \n" \
    "ldr    %[d], [%[w], #8]           \n" \
    "ldrd   %[u], %[v], [%[w]], #24    \n" \
    "ldrd   %[a], %[b], [%[c]], #8     \n" \
    "smlad  %[s0], %[a], %[u], %[s0]   \n" \
    "smlad  %[s0], %[b], %[v], %[s0]   \n" \
    "smlad  %[s1], %[b], %[u], %[s1]   \n" \
    "ldrd   %[a], %[b], [%[c]], #8     \n" \
    "smlad  %[s0], %[a], %[d], %[s0]   \n" \
    "smlad  %[s1], %[a], %[v], %[s1]   \n" \
    "smlad  %[s2], %[a], %[u], %[s2]   \n" \
    "smlabt %[s0], %[b], %[e], %[s0]   \n" \
    "smlad  %[s1], %[b], %[d], %[s1]   \n" \
    "smlad  %[s2], %[b], %[v], %[s2]   \n" \
    "smlad  %[s3], %[b], %[u], %[s3]   \n" \
    "ldrd   %[a], %[b], [%[c]], #8     \n" \
    "smlabt %[s1], %[a], %[e], %[s1]   \n" \
    "smlad  %[s2], %[a], %[d], %[s2]   \n" \
    "smlad  %[s3], %[a], %[v], %[s3]   \n" \
    "ldr    %[a], [%[c]]               \n" \
    "smlabt %[s2], %[b], %[e], %[s2]   \n" \
    "smlad  %[s3], %[b], %[d], %[s3]   \n" \
    "smlabt %[s3], %[a], %[e], %[s3]   \n"

/* An output, from twice its sum with the bias. */
TN_INLINE int8_t tn_plane_output(int32_t x, int32_t multiplier, int32_t rounding, int32_t shift)
{
    return tn_saturate((tn_high_plus(x, multiplier, rounding) + (x >> 31)) >> shift);
}

#define TN_ROWS(row)                                                                                                  \
    __asm__ volatile("1:                     \n" row                                                                  \
                     "ldr    %[a], %[end]    \n"                                                                      \
                     "cmp    %[rows], %[a]   \n"                                                                      \
                     "bne    1b              \n"                                                                      \
                     : [rows] "+r"(rows), [w] "+r"(w), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3),    \
                       [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [u] "=&r"(u),            \
                       [v] "=&r"(v)                                                                                   \
                     : [at] "r"(at), [end] "m"(end)                                                                   \
                     : "memory", "cc")

/* One channel: outputs by fours, of which the last may be fewer. */
TN_INLINE void tn_plane_row(const tn_blocks *layer, const tn_planes *planes, const uint32_t columns, const uint32_t stride,
                            const int16_t *weights, const int32_t *constants, uint32_t at, int8_t *out, uint32_t step)
{
    const int16_t *const *const end = planes->rows + planes->inside;
    const int32_t multiplier = constants[TN_MULTIPLIER], rounding = constants[TN_ROUNDING], shift = constants[TN_SHIFT];
    for (uint32_t left = layer->columns; left; at += 8 * stride) {
        const int16_t *const *rows = planes->rows;
        const int16_t *w = weights;
        int32_t s0 = constants[TN_BIAS], s1 = s0, s2 = s0, s3 = s0;
        uint32_t a, b, c, d, e, u, v;
        if (columns == 5 && stride == 1) {
            TN_ROWS(TN_ROW_5);
        } else if (columns == 5) {
            TN_ROWS(TN_ROW_5_2);
        } else if (stride == 1) {
            TN_ROWS(TN_ROW_7);
        } else {
            TN_ROWS(TN_ROW_7_2);
        }
        out[0] = tn_plane_output(s0, multiplier, rounding, shift);
        if (left == 1) {
            break;
        }
        out[step] = tn_plane_output(s1, multiplier, rounding, shift);
        if (left == 2) {
            break;
        }
        out[2 * step] = tn_plane_output(s2, multiplier, rounding, shift);
        if (left == 3) {
            break;
        }
        out[3 * step] = tn_plane_output(s3, multiplier, rounding, shift);
        out += 4 * step;
        left -= 4;
    }
}

TN_INLINE void tn_plane_rows(const tn_op *op, int8_t *arena, int step, const uint32_t columns, const uint32_t stride)
{
    const tn_blocks *const layer = op->parameters;
    const tn_planes planes = tn_planes_at(op, arena, step);
    const uint32_t channels = op->output->channels;
    const int16_t *weights = layer->weights + planes.above * 2 * (columns - 1);
    const int32_t *constants = layer->constants;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t channel = 0; channel < channels; channel++) {
        tn_plane_row(layer, &planes, columns, stride, weights, constants, 2 * channel * planes.pitch, row + channel,
                     channels);
        weights += layer->depth;
        constants += TN_CONSTANTS;
    }
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}

void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    if (layer->kernel_columns == 5 && layer->stride_columns == 1) {
        tn_plane_rows(op, arena, step, 5, 1);
    } else if (layer->kernel_columns == 5) {
        tn_plane_rows(op, arena, step, 5, 2);
    } else if (layer->stride_columns == 1) {
        tn_plane_rows(op, arena, step, 7, 1);
    } else {
        tn_plane_rows(op, arena, step, 7, 2);
    }
}
#endif
