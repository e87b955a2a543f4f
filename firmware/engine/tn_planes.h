/* Feature maps as planes: int16 rows of one channel each, less the zero point, so that padding is 0.
 *
 *     plane   0 | a0 a1 a2 a3 a4 a5 ... | 0 0      a word is two neighbours: (0 a0) (a1 a2) ...
 *
 * A kernel row w0 w1 .. w6 stands as the words (w0 w1) (w2 w3) (w4 w5), (w1 w2) (w3 w4) (w5 w6), doubled. Of the output whose
 * window begins with a word the first half are the factors, and the last one's upper half is that of the last value; of its
 * right neighbour the second half are, and w0 meets the upper half of the first word. So nothing is ever shifted.
 */
#ifndef TN_PLANES_H
#define TN_PLANES_H

#include "tn_blocks.h"

/* Rows of the largest kernel here. */
enum { TN_MOST_ROWS = 7 };

/* The rows of a window in planes. */
typedef struct {
    const int16_t *rows[TN_MOST_ROWS + 1]; /* those inside the map, of the first channel; there is one at least */
    uint32_t above, inside;
    uint32_t pitch; /* values of a plane */
} tn_planes;

/* By reference: a structure of this size would be copied. */
static inline void tn_planes_at(tn_planes *planes, const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_map *const input = op->inputs[0];
    const tn_window window =
        tn_window_at(input, arena, step * layer->stride_rows - layer->pad_top, layer->kernel_rows);
    const int8_t *row = window.first;
    planes->above = window.above;
    planes->inside = window.inside;
    planes->pitch = input->channels;
    for (uint32_t i = 0; i < window.inside; i++) {
        planes->rows[i] = (const int16_t *)(const void *)row;
        row = tn_next_row(&window, row);
    }
}

#if !TN_DSP
/* Weight `column` of a kernel row of `columns`, see above. */
static inline int32_t tn_plane_weight(const int16_t *row, uint32_t columns, uint32_t column)
{
    return column + 1 < columns ? row[column] : row[2 * columns - 3];
}

/* One channel by the definition of the layout. */
static inline void tn_plane_channel(const tn_blocks *layer, const tn_planes *planes, uint32_t channel, uint32_t channels,
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

static inline void tn_plane_channels(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const uint32_t channels = op->output->channels;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    tn_planes planes;
    tn_planes_at(&planes, op, arena, step);
    for (uint32_t channel = 0; channel < channels; channel++) {
        tn_plane_channel(layer, &planes, channel, channels, row + channel);
    }
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}

#endif

#endif
