/* Average and maximum over windows, four channels at a time where the core can, and means over whole axes. */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"
#include "tn_window.h"

/* The columns of a window that lie in the map. */
typedef struct {
    uint32_t first, count;
} tn_columns;

static tn_columns tn_columns_at(const tn_map *map, int32_t x, uint32_t kernel)
{
    const int32_t end = x + (int32_t)kernel;
    const int32_t from = x > 0 ? x : 0;
    const int32_t to = end < (int32_t)map->columns ? end : (int32_t)map->columns;
    tn_columns columns;
    columns.first = (uint32_t)from;
    columns.count = to > from ? (uint32_t)(to - from) : 0;
    return columns;
}

/* Halves away from zero, as TFLite divides a pool's sum, and within its limits. */
TN_NOINLINE static int8_t tn_average(const tn_pool *pool, int32_t sum, int32_t count)
{
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    return (int8_t)tn_clamp((sum + half) / count, pool->low, pool->high);
}

#if TN_DSP
/* Values that may be added up in 16 bits. */
enum { TN_MOST_ADDED = 255 };

/* The sums of four channels, the first of which is at `row` + `first`: 6 instructions for four values. */
static void tn_add_four(const tn_window *window, uint32_t first, uint32_t count, uint32_t channels, int32_t *sums)
{
    const int8_t *row = window->first;
    uint32_t even = 0, odd = 0;
    for (uint32_t y = 0; y < window->inside; y++) {
        const int8_t *value = row + first;
        for (uint32_t x = count; x; x--, value += channels) {
            const uint32_t word = tn_load4(value);
            __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(word));
            __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(word));
        }
        row = tn_next_row(window, row);
    }
    sums[0] = (int16_t)even;
    sums[1] = (int16_t)odd;
    sums[2] = (int32_t)even >> 16;
    sums[3] = (int32_t)odd >> 16;
}
#endif

void tn_average_pool(const tn_op *op, int8_t *arena, int step)
{
    const tn_pool *const pool = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = input->channels;
    const tn_window window = tn_window_at(input, arena, step * pool->stride_rows - pool->pad_top, pool->kernel_rows);
    int8_t *const out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t column = 0; column < op->output->columns; column++) {
        const int32_t left = (int32_t)(column * pool->stride_columns) - pool->pad_left;
        const tn_columns in = tn_columns_at(input, left, pool->kernel_columns);
        const int32_t count = (int32_t)(in.count * window.inside);
        uint32_t c = 0;
#if TN_DSP
        for (; c + 4 <= channels && count <= TN_MOST_ADDED; c += 4) {
            int32_t sums[4];
            tn_add_four(&window, in.first * channels + c, in.count, channels, sums);
            for (uint32_t i = 0; i < 4; i++) {
                out[column * channels + c + i] = tn_average(pool, sums[i], count);
            }
        }
#endif
        for (; c < channels; c++) {
            const int8_t *row = window.first;
            int32_t sum = 0;
            for (uint32_t y = 0; y < window.inside; y++) {
                const int8_t *value = row + in.first * channels + c;
                for (uint32_t x = 0; x < in.count; x++, value += channels) {
                    sum += *value;
                }
                row = tn_next_row(&window, row);
            }
            out[column * channels + c] = tn_average(pool, sum, count);
        }
    }
}

#if TN_DSP
/* The most of four channels, the first of which is at `row` + `first`, within the limits: 6 instructions for four values. */
static uint32_t tn_most_of_four(const tn_window *window, uint32_t first, uint32_t count, uint32_t channels, uint32_t low,
                                uint32_t high)
{
    const int8_t *row = window->first;
    for (uint32_t y = 0; y < window->inside; y++) {
        const int8_t *value = row + first;
        for (uint32_t x = count; x; x--, value += channels) {
            low = tn_larger_bytes(tn_load4(value), low);
        }
        row = tn_next_row(window, row);
    }
    return tn_smaller_bytes(low, high);
}
#endif

void tn_max_pool(const tn_op *op, int8_t *arena, int step)
{
    const tn_pool *const pool = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = input->channels;
    const tn_window window = tn_window_at(input, arena, step * pool->stride_rows - pool->pad_top, pool->kernel_rows);
    int8_t *out = tn_row(op->output, arena, (unsigned)step);
    for (uint32_t column = 0; column < op->output->columns; column++, out += channels) {
        const int32_t left = (int32_t)(column * pool->stride_columns) - pool->pad_left;
        const tn_columns in = tn_columns_at(input, left, pool->kernel_columns);
        uint32_t c = 0;
#if TN_DSP
        const uint32_t low = tn_four_bytes(pool->low), high = tn_four_bytes(pool->high);
        for (; c + 4 <= channels; c += 4) {
            const uint32_t most = tn_most_of_four(&window, in.first * channels + c, in.count, channels, low, high);
            memcpy(out + c, &most, 4);
        }
#endif
        for (; c < channels; c++) {
            const int8_t *row = window.first;
            int32_t most = pool->low;
            for (uint32_t y = 0; y < window.inside; y++) {
                const int8_t *value = row + in.first * channels + c;
                for (uint32_t x = 0; x < in.count; x++, value += channels) {
                    most = *value > most ? *value : most;
                }
                row = tn_next_row(&window, row);
            }
            out[c] = (int8_t)(most < pool->high ? most : pool->high);
        }
    }
}

/* Adds `columns` columns, side by side in memory, to `channels` sums. */
static void tn_add_columns(const int8_t *in, uint32_t columns, uint32_t channels, int32_t *sums)
{
    for (uint32_t x = 0; x < columns; x++) {
        for (uint32_t c = 0; c < channels; c++) {
            sums[c] += *in++;
        }
    }
}

TN_INLINE int8_t tn_mean_of(const tn_mean_parameters *mean, int32_t sum, int32_t elements)
{
    return tn_rescale_wide(sum - mean->input_zero * elements, mean->scale.multiplier, mean->scale.shift,
                           mean->output_zero);
}

void tn_mean(const tn_op *op, int8_t *arena, int step)
{
    const tn_mean_parameters *const mean = op->parameters;
    const tn_map *const input = op->inputs[0];
    const uint32_t channels = input->channels;
    const int8_t *const in = tn_row(input, arena, (unsigned)step);

    if (mean->over_rows) {
        /* Sums of whole columns are those of one column with columns * channels channels. */
        const uint32_t columns = mean->over_columns ? input->columns : 1;
        const uint32_t width = mean->over_columns ? channels : input->columns * channels;
        int32_t *const sums = (int32_t *)(void *)(arena + op->scratch);
        if (step == 0) {
            memset(sums, 0, width * sizeof *sums);
        }
        tn_add_columns(in, columns, width, sums);
        if (step == input->rows - 1) {
            int8_t *const out = tn_row(op->output, arena, 0);
            for (uint32_t c = 0; c < width; c++) {
                out[c] = tn_mean_of(mean, sums[c], (int32_t)(input->rows * columns));
            }
        }
    } else {
        int8_t *const out = tn_row(op->output, arena, (unsigned)step);
        for (uint32_t c = 0; c < channels; c++) {
            int32_t sum = 0;
            for (uint32_t x = 0; x < input->columns; x++) {
                sum += in[x * channels + c];
            }
            out[c] = tn_mean_of(mean, sum, (int32_t)input->columns);
        }
    }
}
