/* TensorFlow Lite's int8 softmax, in gemmlowp's fixed point. Qi.f below: i integer and f fraction bits. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

/* The exponentials are Q0.31, their sum Q12.19. */
enum { TN_SUM_INTEGER_BITS = 12 };

static int32_t tn_leading_zeros(uint32_t value)
{
    int32_t zeros = 0;
    for (; zeros < 32 && !(value & 0x80000000u); value <<= 1) {
        zeros++;
    }
    return zeros;
}

/* value * 2^bits, saturated. */
static int32_t tn_shift_saturated(int32_t value, int32_t bits)
{
    const int32_t most = INT32_MAX >> bits;
    return value > most ? INT32_MAX : value < -most ? INT32_MIN : value * (1 << bits);
}

/* 1 / (1 + x) for x in [0, 1), both Q0.31: three Newton steps from 48/17 - 32/17 * d, d = (1 + x) / 2, in Q2.29. */
static int32_t tn_reciprocal(int32_t x)
{
    const int32_t one = (int32_t)1 << 29;
    const int32_t d = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t guess = 1515870810 + tn_multiply_high(d, -1010580540);
    for (int i = 0; i < 3; i++) {
        const int32_t error = one - tn_multiply_high(d, guess);
        guess += tn_shift_saturated(tn_multiply_high(guess, error), 2);
    }
    return tn_shift_saturated(guess, 1); /* 1 / d is twice what is wanted: Q2.29 is taken for Q1.30, then made Q0.31 */
}

static void tn_softmax_of(const int32_t *exponentials, const int8_t *in, uint32_t channels, int8_t *out)
{
    int32_t maximum = INT8_MIN;
    int32_t sum = 0;
    for (uint32_t c = 0; c < channels; c++) {
        maximum = in[c] > maximum ? in[c] : maximum;
    }
    for (uint32_t c = 0; c < channels; c++) {
        sum += tn_divide_by_power(exponentials[maximum - in[c]], TN_SUM_INTEGER_BITS);
    }
    {
        /* sum = (1 + x) * 2^k: the mantissa's reciprocal by Newton, the power by the last shift */
        const int32_t zeros = tn_leading_zeros((uint32_t)sum);
        const int32_t x = (int32_t)(((uint32_t)sum << zeros) - 0x80000000u);
        const int32_t scale = tn_reciprocal(x);
        const int32_t right = TN_SUM_INTEGER_BITS - zeros + 31 - 8;
        for (uint32_t c = 0; c < channels; c++) {
            const int32_t share = tn_multiply_high(scale, exponentials[maximum - in[c]]);
            /* where so many share one alike, each has less than half a step */
            out[c] = right > 31 ? INT8_MIN : tn_saturate(tn_divide_by_power(share, right) + INT8_MIN);
        }
    }
}

void tn_softmax(const tn_op *op, int8_t *arena, int step)
{
    const tn_softmax_parameters *const softmax = op->parameters;
    const uint32_t channels = op->output->channels;
    const int8_t *in = tn_row(op->inputs[0], arena, (unsigned)step);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t x = 0; x < op->output->columns; x++, in += channels, out += channels) {
        tn_softmax_of(softmax->exponentials, in, channels, out);
    }
}
