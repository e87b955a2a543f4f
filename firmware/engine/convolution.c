/* Convolutions with any window, and grouped ones: the window's inputs are gathered into a vector (im2col), two pixels
 * at a time, and multiplied as a 1 x 1 convolution's are. */
#include "tn_products.h"
#include "tn_window.h"

/* What a step gathers from: channels first..first + count of the window's rows. */
typedef struct {
    const tn_conv *conv;
    tn_window window;
    int32_t columns;
    int32_t rightmost; /* the last column from which a kernel row is one run of bytes; -1 with groups */
    uint32_t channels;
    uint32_t first, count;
} tn_source;

/* memcpy without a call: runs are short. */
TN_INLINE void tn_copy(int8_t *to, const int8_t *from, uint32_t bytes)
{
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
        memcpy(to, from, 4);
        memcpy(to + 4, from + 4, 4);
        memcpy(to + 8, from + 8, 4);
        memcpy(to + 12, from + 12, 4);
    }
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
        memcpy(to, from, 4);
    }
    for (; bytes; bytes--) {
        *to++ = *from++;
    }
}

/* One kernel row's part of the vector, from column x of an input row on, where some columns are padding. */
static void tn_gather_edge(const tn_source *source, const int8_t *row, int32_t x, int8_t *to)
{
    const int32_t end = x + source->conv->kernel_columns;
    for (; x < end; x++, to += source->count) {
        if (x < 0 || x >= source->columns) {
            memset(to, source->conv->padding[0], source->count);
        } else {
            memcpy(to, row + (uint32_t)x * source->channels, source->count);
        }
    }
}

/* The vector of the output pixel in column `column`: depth bytes at `to`. */
static void tn_gather(const tn_source *source, uint32_t column, int8_t *to)
{
    const tn_conv *const conv = source->conv;
    const tn_window *const window = &source->window;
    const int32_t x = (int32_t)(column * conv->stride_columns) - conv->pad_left;
    const uint32_t row_bytes = conv->kernel_columns * source->count;
    const uint32_t first = (uint32_t)x * source->channels;
    const uint32_t below = (uint32_t)(conv->kernel_rows - window->above - window->inside);
    const int8_t *row = window->first;

    if (window->above) {
        memset(to, conv->padding[0], window->above * row_bytes);
        to += window->above * row_bytes;
    }
    for (uint32_t i = window->inside; i; i--) {
        if (x >= 0 && x <= source->rightmost) {
            tn_copy(to, row + first, row_bytes); /* the common case: one run of bytes */
        } else {
            tn_gather_edge(source, row + source->first, x, to);
        }
        to += row_bytes;
        row = tn_next_row(window, row);
    }
    if (below) {
        memset(to, conv->padding[0], below * row_bytes);
    }
}

/* Output channels from..to of the row `row`, two pixels at a time. */
static void tn_convolve_row(const tn_source *source, const tn_map *output, uint32_t from, uint32_t to, int8_t *scratch,
                            int8_t *row)
{
    const tn_conv *const conv = source->conv;
    const uint32_t channels = output->channels;
    const uint32_t columns = output->columns;
    const uint32_t vector = (conv->depth + 3) & ~3u; /* a vector's room in scratch, whole words */
    int8_t *out = row;
    uint32_t column = 0;
    for (; column + 2 <= columns; column += 2, out += 2 * channels) {
        tn_gather(source, column, scratch);
        tn_gather(source, column + 1, scratch + vector);
        tn_pixel_pairs(conv, from, to, scratch, vector, 1, out, channels);
    }
    if (column < columns) {
        tn_gather(source, column, scratch);
        tn_pixel(conv, from, to, scratch, out);
    }
}

void tn_convolve_groups(const tn_op *op, int8_t *arena, int step)
{
    const tn_conv *const conv = op->parameters;
    const tn_map *const input = op->inputs[0];
    const tn_map *const output = op->output;
    const int32_t y = step * conv->stride_rows - conv->pad_top;
    const uint32_t inputs = input->channels / conv->groups;
    const uint32_t outputs = output->channels / conv->groups;
    int8_t *const row = tn_row(output, arena, (unsigned)step);
    tn_source source;
    source.conv = conv;
    source.window = tn_window_at(input, arena, y, conv->kernel_rows);
    source.columns = (int32_t)input->columns;
    source.rightmost = conv->groups == 1 ? source.columns - conv->kernel_columns : -1;
    source.channels = input->channels;
    source.count = inputs;
    for (uint32_t group = 0; group < conv->groups; group++) {
        source.first = group * inputs;
        tn_convolve_row(&source, output, group * outputs, (group + 1) * outputs, arena + op->scratch, row);
    }
    tn_clamp_row(row, output->columns * output->channels, conv->low, conv->high);
}

/* One group is a case of many. Two names, so that a plan tells which it runs. */
void tn_convolve(const tn_op *op, int8_t *arena, int step)
{
    tn_convolve_groups(op, arena, step);
}
