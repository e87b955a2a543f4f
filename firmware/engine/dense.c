/* Fully connected layers. */
#include "tn_products.h"

void tn_dense(const tn_op *op, int8_t *arena, int step)
{
    const tn_conv *const conv = op->parameters;
    const uint32_t channels = op->output->channels;
    const uint32_t pixels = op->output->columns;
    const int8_t *x = tn_row(op->inputs[0], arena, 0);
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    int8_t *out = row;
    for (uint32_t i = 0; i < pixels; i++, x += conv->depth, out += channels) {
        tn_pixel(conv, 0, channels, x, out);
    }
    tn_clamp_row(row, pixels * channels, conv->low, conv->high);
}
