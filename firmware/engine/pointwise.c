/* 1 x 1 convolutions, of any stride, without padding: the input's pixels are the vectors as they lie. */
#include "tn_products.h"

void tn_pointwise(const tn_op *op, int8_t *arena, int step)
{
    const tn_conv *const conv = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = op->output->channels;
    const uint32_t columns = op->output->columns;
    const uint32_t stride = conv->stride_columns * input->channels;
    const int8_t *const in = tn_row(input, arena, (unsigned)step * conv->stride_rows);
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);

    tn_pixel_pairs(conv, 0, channels, in, stride, columns / 2, row, channels);
    if (columns % 2) {
        const uint32_t last = columns - 1;
        tn_pixel(conv, 0, channels, in + last * stride, row + last * channels);
    }
    tn_clamp_row(row, columns * channels, conv->low, conv->high);
}
