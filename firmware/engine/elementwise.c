/* ADD and MUL, of two feature maps or of one and a constant, with repetition of what has only one row, column or
 * channel. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

/* A side's row, and how far its next column and its next channel are (0 where one is repeated). */
typedef struct {
    const int8_t *values;
    uint32_t column, channel;
} tn_side;

static tn_side tn_side_of(const int8_t *values, uint32_t columns, uint32_t channels)
{
    tn_side side;
    side.values = values;
    side.column = columns == 1 ? 0 : channels;
    side.channel = channels == 1 ? 0 : 1;
    return side;
}

static tn_side tn_left(const tn_op *op, int8_t *arena, int step)
{
    const tn_map *const map = op->inputs[0];
    const unsigned row = map->rows == 1 ? 0 : (unsigned)step;
    return tn_side_of(tn_row(map, arena, row), map->columns, map->channels);
}

static tn_side tn_right(const tn_op *op, int8_t *arena, int step)
{
    const tn_binary *const binary = op->parameters;
    if (binary->constant) {
        const uint32_t row = binary->constant_rows == 1 ? 0 : (uint32_t)step;
        return tn_side_of(binary->constant + row * binary->constant_columns * binary->constant_channels,
                          binary->constant_columns, binary->constant_channels);
    } else {
        const tn_map *const map = op->inputs[1];
        const unsigned row = map->rows == 1 ? 0 : (unsigned)step;
        return tn_side_of(tn_row(map, arena, row), map->columns, map->channels);
    }
}

/* Whether the sides' elements stand in the output's order, so that a row is one run. */
static int tn_flat(const tn_side *side, const tn_map *output)
{
    return (side->column == output->channels || output->columns == 1) && (side->channel == 1 || output->channels == 1);
}

/* A rescaling by at most 1 of values within +-2^29, in few instructions; a shift of 0 too. */
typedef struct {
    int32_t multiplier, rounding, right;
    int32_t halves; /* ones where there is a second division and its halves go away from zero */
} tn_shrink;

static tn_shrink tn_shrink_of(tn_scale scale)
{
    tn_shrink shrink;
    shrink.multiplier = scale.multiplier;
    shrink.right = -scale.shift;
    shrink.rounding = shrink.right ? (int32_t)1 << (shrink.right - 1) : 0;
    shrink.halves = shrink.right ? -1 : 0;
    return shrink;
}

/* tn_rescale_narrow of half of `twice`. */
TN_INLINE int32_t tn_shrunk(int32_t twice, const tn_shrink *by)
{
    return (tn_high_plus(twice, by->multiplier, by->rounding) + ((twice >> 31) & by->halves)) >> by->right;
}

/* One ADD. Zero points come shifted: 21 places are TFLite's 20 and the doubling that tn_shrunk wants. */
enum { TN_ADD_SHIFT = 21 };

TN_INLINE int8_t tn_sum(int32_t a, int32_t b, int32_t a_zero, int32_t b_zero, const tn_shrink *left,
                        const tn_shrink *right, const tn_shrink *output, int32_t zero)
{
    const int32_t x = tn_shrunk(a * (1 << TN_ADD_SHIFT) - a_zero, left);
    const int32_t y = tn_shrunk(b * (1 << TN_ADD_SHIFT) - b_zero, right);
    return tn_saturate(tn_shrunk((x + y) * 2, output) + zero);
}

void tn_add(const tn_op *op, int8_t *arena, int step)
{
    const tn_binary *const binary = op->parameters;
    const tn_map *const map = op->output;
    const tn_shrink left = tn_shrink_of(binary->left), right = tn_shrink_of(binary->right);
    const tn_shrink output = tn_shrink_of(binary->output);
    const int32_t a_zero = binary->left_zero * (1 << TN_ADD_SHIFT), b_zero = binary->right_zero * (1 << TN_ADD_SHIFT);
    const tn_side a = tn_left(op, arena, step), b = tn_right(op, arena, step);
    const uint32_t count = map->columns * map->channels;
    int8_t *const out = tn_row(map, arena, (unsigned)step);

    if (tn_flat(&a, map) && tn_flat(&b, map)) {
        const int8_t *p = a.values, *q = b.values;
        for (uint32_t i = 0; i < count; i++) {
            out[i] = tn_sum(*p++, *q++, a_zero, b_zero, &left, &right, &output, binary->output_zero);
        }
    } else {
        int8_t *to = out;
        for (uint32_t x = 0; x < map->columns; x++) {
            const int8_t *p = a.values + x * a.column, *q = b.values + x * b.column;
            for (uint32_t c = 0; c < map->channels; c++, p += a.channel, q += b.channel) {
                *to++ = tn_sum(*p, *q, a_zero, b_zero, &left, &right, &output, binary->output_zero);
            }
        }
    }
    tn_clamp_row(out, count, binary->low, binary->high);
}

void tn_mul(const tn_op *op, int8_t *arena, int step)
{
    const tn_binary *const binary = op->parameters;
    const tn_map *const map = op->output;
    const tn_side a = tn_left(op, arena, step), b = tn_right(op, arena, step);
    const int32_t multiplier = binary->output.multiplier, shift = binary->output.shift;
    int8_t *const out = tn_row(map, arena, (unsigned)step);
    int8_t *to = out;
    for (uint32_t x = 0; x < map->columns; x++) {
        const int8_t *p = a.values + x * a.column, *q = b.values + x * b.column;
        for (uint32_t c = 0; c < map->channels; c++, p += a.channel, q += b.channel) {
            const int32_t product = (*p - binary->left_zero) * (*q - binary->right_zero);
            if (shift < 0) { /* a product has 17 bits, so that it is narrow */
                *to++ = tn_saturate(tn_rescale_narrow(product, multiplier, -shift) + binary->output_zero);
            } else {
                *to++ = tn_rescale_wide(product, multiplier, shift, binary->output_zero);
            }
        }
    }
    tn_clamp_row(out, map->columns * map->channels, binary->low, binary->high);
}
