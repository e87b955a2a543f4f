/* Kernels that only move values: padding, concatenation, nearest neighbours, other orders. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

void tn_pad(const tn_op *op, int8_t *arena, int step)
{
    const tn_pad_parameters *const pad = op->parameters;
    const tn_map *const input = op->inputs[0];
    const tn_map *const output = op->output;
    int8_t *const out = tn_row(output, arena, (unsigned)step);
    memset(out, pad->value, output->columns * output->channels);
    if (step >= pad->top && step - pad->top < input->rows) {
        const int8_t *in = tn_row(input, arena, (unsigned)step - pad->top);
        int8_t *to = out + pad->left * output->channels + pad->front;
        if (input->channels == output->channels) {
            memcpy(to, in, input->columns * input->channels);
        } else {
            for (uint32_t x = 0; x < input->columns; x++, in += input->channels, to += output->channels) {
                memcpy(to, in, input->channels);
            }
        }
    }
}

void tn_concat(const tn_op *op, int8_t *arena, int step)
{
    const tn_concat_parameters *const concat = op->parameters;
    const tn_map *const output = op->output;
    const uint32_t whole = output->columns * output->channels * output->size / concat->blocks;
    int8_t *out = tn_row(output, arena, (unsigned)step);
    for (uint32_t i = 0; i < concat->inputs; i++) {
        const tn_map *const input = op->inputs[i];
        const uint32_t part = input->columns * input->channels * input->size / concat->blocks;
        const int8_t *in = tn_row(input, arena, (unsigned)step);
        int8_t *to = out;
        for (uint32_t block = 0; block < concat->blocks; block++, in += part, to += whole) {
            memcpy(to, in, part);
        }
        out += part;
    }
}

void tn_concat_rows(const tn_op *op, int8_t *arena, int step)
{
    const tn_map *const output = op->output;
    const tn_map *const *input = op->inputs;
    unsigned row = (unsigned)step;
    for (; row >= (*input)->rows; input++) {
        row -= (*input)->rows;
    }
    memcpy(tn_row(output, arena, (unsigned)step), tn_row(*input, arena, row),
           output->columns * output->channels * output->size);
}

void tn_resize(const tn_op *op, int8_t *arena, int step)
{
    const tn_resize_parameters *const resize = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t pixel = input->channels * input->size;
    const int8_t *const in = tn_row(input, arena, resize->rows[step]);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t x = 0; x < op->output->columns; x++, out += pixel) {
        memcpy(out, in + resize->columns[x] * pixel, pixel);
    }
}

void tn_permute(const tn_op *op, int8_t *arena, int step)
{
    const tn_permute_parameters *const permute = op->parameters;
    const tn_map *const output = op->output;
    const uint32_t size = output->size;
    const int8_t *const in = tn_row(op->inputs[0], arena, 0) + permute->first * size;
    const int8_t *const row = in + (uint32_t)step * permute->row * size;
    int8_t *out = tn_row(output, arena, (unsigned)step);
    for (uint32_t x = 0; x < output->columns; x++) {
        const int8_t *from = row + x * permute->column * size;
        if (permute->channel == 1) {
            memcpy(out, from, output->channels * size);
            out += output->channels * size;
        } else {
            for (uint32_t c = 0; c < output->channels; c++, out += size, from += permute->channel * size) {
                memcpy(out, from, size);
            }
        }
    }
}
