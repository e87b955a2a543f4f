/* Depthwise convolutions of planes: int16 rows of one channel each, less the zero point, so that padding is 0.
 *
 *     plane   0 | a0 a1 a2 a3 a4 a5 ... | 0 0      a word is two neighbours: (0 a0) (a1 a2) ...
 *
 * A kernel row w0 w1 .. w6 stands as the words (w0 w1) (w2 w3) (w4 w5), (w1 w2) (w3 w4) (w5 w6), doubled. Of the output whose
 * window begins with a word the first half are the factors, and the last one's upper half is that of the last value; of its
 * right neighbour the second half are, and w0 meets the upper half of the first word. So nothing is ever shifted.
 *
 * Instructions of the inner loops: 3 columns 33 (stride 2: 36) for two outputs of all 3 rows and their requantisation; 5
 * columns 20 (21) and 7 columns 27 (28) for a row of four outputs.
 */
#include <stddef.h>

#include "tn_blocks.h"

/* Rows of the largest kernel here. */
enum { TN_MOST_ROWS = 7 };

/* The rows of a window in planes. */
typedef struct {
    const int16_t *rows[TN_MOST_ROWS]; /* those inside the map, of the first channel; there is one at least */
    uint32_t above, inside;
    uint32_t pitch; /* values of a plane */
} tn_planes;

static tn_planes tn_planes_at(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_map *const input = op->inputs[0];
    const tn_window window =
        tn_window_at(input, arena, step * layer->stride_rows - layer->pad_top, layer->kernel_rows);
    const int8_t *row = window.first;
    tn_planes planes;
    planes.above = window.above;
    planes.inside = window.inside;
    planes.pitch = input->channels;
    for (uint32_t i = 0; i < window.inside; i++) {
        planes.rows[i] = (const int16_t *)(const void *)row;
        row = tn_next_row(&window, row);
    }
    return planes;
}

#if !TN_DSP
/* Weight `column` of a kernel row of `columns`, see above. */
static int32_t tn_plane_weight(const int16_t *row, uint32_t columns, uint32_t column)
{
    return column + 1 < columns ? row[column] : row[2 * columns - 3];
}

/* One channel by the definition of the layout. */
static void tn_plane_channel(const tn_blocks *layer, const tn_planes *planes, uint32_t channel, uint32_t channels,
                             int8_t *out)
{
    const uint32_t columns = layer->kernel_columns, row_weights = 2 * (columns - 1);
    const int16_t *const weights = layer->weights + channel * layer->depth + planes->above * row_weights;
    const int32_t *const constants = layer->constants + channel * TN_CONSTANTS;
    for (uint32_t x = 0; x < layer->columns; x++, out += channels) {
        int32_t sum = constants[TN_BIAS];
        for (uint32_t i = 0; i < planes->inside; i++) {
            const int16_t *const in = planes->rows[i] + channel * planes->pitch + x * layer->stride_columns;
            for (uint32_t k = 0; k < columns; k++) {
                sum += in[k] * tn_plane_weight(weights + i * row_weights, columns, k);
            }
        }
        tn_write(sum, constants, 0, out);
    }
}

static void tn_plane_channels(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_planes planes = tn_planes_at(op, arena, step);
    const uint32_t channels = op->output->channels;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t channel = 0; channel < channels; channel++) {
        tn_plane_channel(layer, &planes, channel, channels, row + channel);
    }
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}

void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}

void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}
#else
/* What the assembly of one channel reads from memory; each two below are loaded together. */
typedef struct {
    uint32_t weights[6];
    int32_t multiplier, rounding;
    int32_t shift;
    uint32_t step; /* bytes to the next output of the channel */
    const int16_t *end;
    int32_t bias;
    int8_t *out;
} tn_channel;

/* A row of a pair of outputs y, z: `w` is (w0 w1), `x` is (w1 w2). */
#define TN_ROW_3(p, w, x)                      \
    "ldrd   %[u], %[v], [%[" p "]], #4     \n" \
    "smlad  %[y], %[u], %[" w "], %[y]     \n" \
    "smlatb %[z], %[u], %[" w "], %[z]     \n" \
    "smlabt %[y], %[v], %[" x "], %[y]     \n" \
    "smlad  %[z], %[v], %[" x "], %[z]     \n"
#define TN_FIRST_ROW_3                         \
    "ldr    %[z], %[bias]                  \n" \
    "ldrd   %[u], %[v], [%[p]], #4         \n" \
    "smlad  %[y], %[u], %[w0], %[z]        \n" \
    "smlatb %[z], %[u], %[w0], %[z]        \n" \
    "smlabt %[y], %[v], %[w1], %[y]        \n" \
    "smlad  %[z], %[v], %[w1], %[z]        \n"
/* The same with stride 2. */
#define TN_ROW_3_2(p, w, x)                    \
    "ldrd   %[u], %[v], [%[" p "]], #8     \n" \
    "smlad  %[y], %[u], %[" w "], %[y]     \n" \
    "ldr    %[u], [%[" p "]]               \n" \
    "smlabt %[y], %[v], %[" x "], %[y]     \n" \
    "smlad  %[z], %[v], %[" w "], %[z]     \n" \
    "smlabt %[z], %[u], %[" x "], %[z]     \n"
#define TN_FIRST_ROW_3_2                       \
    "ldr    %[z], %[bias]                  \n" \
    "ldrd   %[u], %[v], [%[p]], #8         \n" \
    "smlad  %[y], %[u], %[w0], %[z]        \n" \
    "ldr    %[u], [%[p]]                   \n" \
    "smlabt %[y], %[v], %[w1], %[y]        \n" \
    "smlad  %[z], %[v], %[w0], %[z]        \n" \
    "smlabt %[z], %[u], %[w1], %[z]        \n"

/* Both outputs; the second only where it is inside the row. */
#define TN_PAIRS_3(rows)                       \
    "1:                                    \n" \
    rows                                       \
    "ldrd   %[u], %[v], %[scale]           \n" \
    "smmlar %[y], %[y], %[u], %[v]         \n" \
    "smmlar %[z], %[z], %[u], %[v]         \n" \
    "ldrd   %[u], %[v], %[shift]           \n" \
    "asr    %[y], %[y], %[u]               \n" \
    "asr    %[z], %[z], %[u]               \n" \
    "ldr    %[u], %[out]                   \n" \
    "ssat   %[y], #8, %[y]                 \n" \
    "ssat   %[z], #8, %[z]                 \n" \
    "strb   %[y], [%[u]]                   \n" \
    "ldr    %[y], %[end]                   \n" \
    "cmp    %[p], %[y]                     \n" \
    "it     ls                             \n" \
    "strbls %[z], [%[u], %[v]]             \n" \
    "add    %[u], %[u], %[v], lsl #1       \n" \
    "str    %[u], %[out]                   \n" \
    "blo    1b                             \n"
/* w0 begins as where the weights are. (GCC takes no more than thirty operands, and near that finds no registers.) */
#define TN_CHANNEL_3(rows)                                                                                            \
    __asm__ volatile("ldrd %[w4], %[w5], [%[w0], #16] \n"                                                             \
                     "ldrd %[w2], %[w3], [%[w0], #8]  \n"                                                             \
                     "ldrd %[w0], %[w1], [%[w0]]      \n" TN_PAIRS_3(rows)                                            \
                     : [p] "+r"(p), [q] "+r"(q), [r] "+r"(r), [w0] "+r"(w), [w1] "=&r"(w1), [w2] "=&r"(w2),           \
                       [w3] "=&r"(w3), [w4] "=&r"(w4), [w5] "=&r"(w5), [u] "=&r"(u), [v] "=&r"(v), [y] "=&r"(y),      \
                       [z] "=&r"(z), [out] "+m"(channel.out)                                                          \
                     : [scale] "m"(channel.multiplier), [shift] "m"(channel.shift), [end] "m"(channel.end),           \
                       [bias] "m"(channel.bias)                                                                       \
                     : "memory", "cc")

void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_planes planes = tn_planes_at(op, arena, step);
    const uint32_t channels = op->output->channels;
    const int16_t *weights = layer->weights;
    const int32_t *constants = layer->constants;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    int8_t *out = row;
    /* A row outside of the map is one inside times weights of 0. */
    const int present[3] = {planes.above == 0, planes.above < 2 && planes.above + planes.inside > 1,
                            planes.above + planes.inside > 2};
    const int16_t *first = planes.rows[0];
    const ptrdiff_t to_second = present[1] ? planes.rows[1 - planes.above] - first : 0;
    const ptrdiff_t to_third = present[2] ? planes.rows[2 - planes.above] - first : 0;
    const uint32_t stride = layer->stride_columns, span = stride * layer->columns, depth = layer->depth;
    const int whole = planes.inside == 3;
    tn_channel channel;
    channel.step = channels;
    for (uint32_t i = channels; i; i--) {
        const int16_t *p = first, *q = first + to_second, *r = first + to_third;
        const void *w = weights;
        uint32_t w1, w2, w3, w4, w5, u, v;
        int32_t y, z;
        if (!whole) {
            w = memcpy(channel.weights, weights, sizeof channel.weights);
            for (uint32_t k = 0; k < 3; k++) {
                if (!present[k]) {
                    channel.weights[2 * k] = channel.weights[2 * k + 1] = 0;
                }
            }
        }
        channel.bias = constants[TN_BIAS];
        channel.multiplier = constants[TN_MULTIPLIER];
        channel.rounding = constants[TN_ROUNDING];
        channel.shift = constants[TN_SHIFT];
        channel.out = out++;
        channel.end = p + span;
        if (stride == 1) {
            TN_CHANNEL_3(TN_FIRST_ROW_3 TN_ROW_3("q", "w2", "w3") TN_ROW_3("r", "w4", "w5"));
        } else {
            TN_CHANNEL_3(TN_FIRST_ROW_3_2 TN_ROW_3_2("q", "w2", "w3") TN_ROW_3_2("r", "w4", "w5"));
        }
        weights += depth;
        constants += TN_CONSTANTS;
        first += planes.pitch;
    }
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}

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
