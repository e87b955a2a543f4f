/* Any function of one int8 by a table of its results. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

void tn_lookup(const tn_op *op, int8_t *arena, int step)
{
    const tn_lookup_parameters *const lookup = op->parameters;
    const int8_t *const table = lookup->table - INT8_MIN; /* so that it is indexed by the value */
    const int8_t *in = tn_row(op->inputs[0], arena, (unsigned)step);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    uint32_t left = op->output->columns * op->output->channels;
    for (; left >= 4; left -= 4, in += 4, out += 4) {
        out[0] = table[in[0]];
        out[1] = table[in[1]];
        out[2] = table[in[2]];
        out[3] = table[in[3]];
    }
    for (; left; left--) {
        *out++ = table[*in++];
    }
}
