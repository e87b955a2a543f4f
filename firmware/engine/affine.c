/* The borders with float: QUANTIZE and DEQUANTIZE. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

/* value / scale rounded to nearest, halves away from zero, plus zero, saturated. What is not a number becomes the zero
 * point. */
static int8_t tn_quantized(float value, float scale, int32_t zero)
{
    /* beyond +-512 it saturates whatever the zero point, and within it the integer part fits */
    const float scaled = value / scale;
    const float bounded = scaled > 512.0f ? 512.0f : scaled > -512.0f ? scaled : scaled <= -512.0f ? -512.0f : 0.0f;
    const int32_t whole = (int32_t)bounded;
    const float rest = bounded - (float)whole; /* exact */
    return tn_saturate(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero);
}

void tn_quantize(const tn_op *op, int8_t *arena, int step)
{
    const tn_affine *const affine = op->parameters;
    const int8_t *in = tn_row(op->inputs[0], arena, (unsigned)step);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t left = op->output->columns * op->output->channels; left; left--, in += sizeof(float)) {
        float value;
        memcpy(&value, in, sizeof value);
        *out++ = tn_quantized(value, affine->scale, affine->zero);
    }
}

void tn_dequantize(const tn_op *op, int8_t *arena, int step)
{
    const tn_affine *const affine = op->parameters;
    const int8_t *in = tn_row(op->inputs[0], arena, (unsigned)step);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t left = op->output->columns * op->output->channels; left; left--, out += sizeof(float)) {
        const float value = affine->scale * (float)(*in++ - affine->zero);
        memcpy(out, &value, sizeof value);
    }
}
