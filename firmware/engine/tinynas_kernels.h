/* The row kernels and their parameters. Tables are made by tinynas/engine/packing.py; the two must agree. */
#ifndef TINYNAS_KERNELS_H
#define TINYNAS_KERNELS_H

#include "tinynas_engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* real = int8 values; a requantisation is TFLite's MultiplyByQuantizedMultiplier with double rounding:
 * multiplier in [2^30, 2^31), shift > 0 to the left. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} tn_scale;

/* Convolutions and fully connected layers. `bias` has the input's zero point folded in:
 * bias[o] - input_zero * sum(weights of o), so accumulators are sums of plain products and padding holds
 * the input's zero point. Outputs are clamped to low..high after adding output_zero.
 *
 * `narrow` promises |bias| + 128 * sum(|weights|) < 2^30 for every channel; the channels with a shift of -22..-1 are
 * then requantised in few instructions. 0 is always right, only slower. */
typedef struct {
    const int8_t *weights; /* layout: see each kernel */
    const int32_t *bias;
    const int32_t *multipliers; /* one an output channel */
    const int8_t *shifts;       /* one an output channel, > 0 to the left */
    const int8_t *padding;      /* a pixel of zero points (in flash), 0 where nothing is padded */
    uint32_t depth;             /* products an output value: of tn_dense its inputs, else rows*columns*channels/groups */
    uint16_t kernel_rows, kernel_columns;
    uint16_t stride_rows, stride_columns;
    uint16_t pad_top, pad_left;
    uint16_t groups;
    int8_t output_zero, low, high;
    uint8_t narrow;
} tn_conv;

tn_kernel tn_convolve;         /* any window; weights [out][kh][kw][in]; scratch 2 * (depth rounded up to 4) */
tn_kernel tn_convolve_groups;  /* groups > 1; weights [out][kh][kw][in / groups]; scratch as above */
tn_kernel tn_pointwise;        /* 1 x 1, any stride, no padding; weights [out][in]; no scratch */
tn_kernel tn_depthwise;        /* multiplier 1; weights packed by fours of channels and pairs of taps:
                                  [ceil(c/4)][ceil(taps/2)][8] bytes, of taps a, b and channels 0..3:
                                  a0 a1 b0 b1, a2 a3 b2 b3; missing taps and channels are 0; no scratch */
tn_kernel tn_depthwise_multiplied; /* multiplier > 1; weights [kh][kw][out]; no scratch */
tn_kernel tn_dense;            /* fully connected; weights [out][depth]; no scratch. The input lies whole and is read as
                                  output->columns vectors of depth; one step */

/* Convolutions and dense layers by blocks (tn_blocks.h), for layers that are narrow (see tn_conv) with every shift in
 * -22..-1 (or 0, where low is the output's zero point) and two output channels at least. An output map of size 2 is planes: a plane of int16 for each channel, `before` zeros first, then the columns, less
 * the zero point -128; then nothing may be clamped but what is below the zero point, and no output may leave int16 before. */
typedef struct {
    const int16_t *weights;   /* of pairs of channels, with their constants: tn_blocks.h */
    const int32_t *constants; /* 0; of other kernels four an output channel: twice the bias, multiplier, rounding, right shift */
    uint32_t depth;           /* values a pixel, a multiple of 4 */
    uint32_t columns;         /* output pixels of a row */
    uint16_t kernel_rows, kernel_columns;
    uint16_t stride_rows, stride_columns;
    uint16_t pad_top, pad_left;
    uint16_t before;
    int8_t padding; /* the input's zero point */
    int8_t low, high;
} tn_blocks;

tn_kernel tn_convolve_packed; /* any window; scratch 8 * depth */
tn_kernel tn_convolve_packed_planes; /* the same, whose output is planes */
tn_kernel tn_convolve_paired, tn_convolve_paired_planes, tn_dense_paired; /* the same with paired weights */
tn_kernel tn_dense_packed;    /* as tn_dense; scratch 8 * depth, of one vector 2 * depth */

/* 3 x 3, stride 1, with 48 * 128 * sum(|weights|) < 2^31 for every channel. A step makes two rows, the last perhaps one:
 * kernel_rows (4), stride_rows (2) and pad_top are those of its window. Weights are transformed (winograd.c), depth is the
 * channels rounded up to a multiple of four; scratch 768 + 6 * depth + 96 * depth for each
 * eight columns, but no more of those than max(1, 32 / depth) */
tn_kernel tn_convolve_winograd;

/* Depthwise of planes, which are int16 less the zero point -128 (tn_planes.h has the weights' layout); depth is the
 * weights of a channel, and no window is wholly outside. `bias` has no zero point folded in. */
tn_kernel tn_depthwise_planes_3; /* 3 x 3, strides 1 and 2, low is the output's zero point; scratch a plane */
tn_kernel tn_depthwise_planes;   /* 5 or 7 columns, up to 7 rows, strides 1 and 2; no scratch */

/* Elementwise. An input with one row, column or channel where the output has more is repeated. `constant`, if not 0,
 * stands in flash in the place of the second input, and is then always the right side: constant_rows x
 * constant_columns x constant_channels. The output row may lie exactly over an input row of its own shape. */
typedef struct {
    tn_scale left, right, output; /* of tn_add: all three shifts 0 or to the right, as TFLite demands */
    int16_t left_zero, right_zero; /* zero points as TFLite names them: subtracted */
    const int8_t *constant;
    uint16_t constant_rows;
    uint32_t constant_columns, constant_channels;
    int8_t output_zero, low, high;
} tn_binary;

tn_kernel tn_add; /* TFLite's ADD: both sides << 20, rescaled, summed, rescaled */
tn_kernel tn_mul; /* TFLite's MUL; only `output` scale is used */

/* An ADD of two maps of the output's shape, see sums.c. Input `scaled` (0 or 1) goes through the table, the other has the
 * larger scale. The output row may lie exactly over either. */
typedef struct {
    const int32_t *table; /* 256: of -128 first, twice the scaled side, less both zero points */
    int32_t multiplier, rounding, shift; /* of the sum: as constants of tn_blocks */
    uint8_t scaled;
    int8_t low, high;
} tn_table_sum;

tn_kernel tn_add_table;

typedef struct {
    uint16_t kernel_rows, kernel_columns;
    uint16_t stride_rows, stride_columns;
    uint16_t pad_top, pad_left;
    int8_t low, high;
} tn_pool;

tn_kernel tn_average_pool; /* no scratch */
tn_kernel tn_max_pool;     /* no scratch */

/* Mean over rows, over columns, or both: the output has one row, one column, or one of each. `scale` has 1 / elements
 * in it as TFLite folds it: multiplier << s divided by the elements, s less shift, s = floor(log2(elements)); its
 * multiplier may thus be below 2^30. Over rows (with columns or not), step y adds row y of the input and the last step
 * also writes the one output row. Over columns alone, step y makes output row y of input row y. */
typedef struct {
    tn_scale scale;
    int32_t input_zero;
    int32_t output_zero;
    uint8_t over_rows, over_columns;
} tn_mean_parameters;

tn_kernel tn_mean; /* scratch: over rows int32 sums, 4 * output columns * channels, kept from the first step to the last;
                      over columns alone none */

/* Any function of one int8: logistic, hard-swish, ReLU, requantisation; 256 results, of -128 first. The output row may
 * lie exactly over the input row. */
typedef struct {
    const int8_t *table;
} tn_lookup_parameters;

tn_kernel tn_lookup;

/* TFLite's int8 softmax over the channels, at most 4095 of them (their sum is Q12.19). From a sum of 512 on, where TFLite
 * shifts by more than it may, all of it is less than half a step: -128.
 * exponentials[d] is exp(-d) scaled as TFLite does, for d = maximum - value, Q0.31; 0 where TFLite leaves the value
 * out. */
typedef struct {
    const int32_t *exponentials; /* 256 */
} tn_softmax_parameters;

tn_kernel tn_softmax;

/* Rows of the inputs side by side: `blocks` times a row, input i gives its row's 1/blocks part. blocks = columns for
 * the channel axis, 1 for the column axis. */
typedef struct {
    uint32_t inputs;
    uint32_t blocks;
} tn_concat_parameters;

tn_kernel tn_concat;      /* along channels or columns */
tn_kernel tn_concat_rows; /* along rows */

typedef struct {
    uint16_t top, left, front; /* rows, columns, channels before the input */
    int8_t value;
} tn_pad_parameters;

tn_kernel tn_pad;

/* Nearest neighbour: output row y is input row rows[y], column x is input column columns[x]. */
typedef struct {
    const uint16_t *rows;
    const uint16_t *columns;
} tn_resize_parameters;

tn_kernel tn_resize;

/* Copies in another order: output element (y, x, c) of step y is input element first + y*row + x*column + c*channel of
 * the whole input. Reshapes copy with the strides of the output's own shape, slices with the input's. */
typedef struct {
    uint32_t row, column, channel;
    uint32_t first;
} tn_permute_parameters;

tn_kernel tn_permute; /* elements of 1 or 4 bytes */

typedef struct {
    float scale;
    int32_t zero;
} tn_affine;

tn_kernel tn_quantize;   /* float -> int8, TFLite's rounding (half away from zero) */
tn_kernel tn_dequantize; /* int8 -> float */

#ifdef __cplusplus
}
#endif

#endif
