/* Convolutions and dense layers by blocks of pixels and channels: what all layouts of weights share. See tn_blocks.h. */
#include "tn_blocks.h"

#if TN_DSP
/* A word: 5 instructions of four bytes each, so that tn_widen_words can begin anywhere in a round of four. */
#define TN_WIDEN                             \
    "ldr.w  %[a], [%[in]], #4            \n" \
    "sxtb16 %[b], %[a]                   \n" \
    "sxtb16 %[a], %[a], ror #8           \n" \
    "str.w  %[b], [%[to]], #16           \n" \
    "str.w  %[a], [%[to]], #16           \n"
enum { TN_WIDEN_BYTES = 5 * 4 };
#endif

/* Where in a round of four words tn_widen_words begins, in bytes; the last bit says Thumb. Worked out once for many. */
TN_INLINE uint32_t tn_widen_entry(uint32_t words)
{
#if TN_DSP
    return ((0u - words) % 4 * TN_WIDEN_BYTES) | 1;
#else
    return words;
#endif
}

/* `words` words of int8 as pairs of int16, those of a pixel `pixels` words apart: 5 instructions a word where four pixels
 * lie side by side, as they nearly always do. Returns where the next goes. */
TN_INLINE uint32_t *tn_widen_words(const int8_t *in, uint32_t words, uint32_t entry, uint32_t pixels, uint32_t *to)
{
#if TN_DSP
    if (pixels == 4) {
        if (words) {
            const int8_t *const end = in + 4 * words;
            uint32_t a, b;
            __asm__ volatile("adr.w %[b], 1f      \n"
                             "add   %[b], %[b], %[entry] \n"
                             "bx    %[b]          \n"
                             ".p2align 2          \n"
                             "1:                  \n"
                             TN_WIDEN TN_WIDEN TN_WIDEN TN_WIDEN
                             "cmp   %[in], %[end] \n"
                             "bne   1b            \n"
                             : [in] "+r"(in), [to] "+r"(to), [a] "=&r"(a), [b] "=&r"(b)
                             : [entry] "r"(entry), [end] "r"(end)
                             : "memory", "cc");
        }
        return to;
    }
    for (; words; words--, in += 4, to += 2 * pixels) {
        const uint32_t word = tn_load4(in);
        to[0] = (uint32_t)__sxtb16((int8x4_t)word);
        to[pixels] = (uint32_t)__sxtb16((int8x4_t)(word >> 8 | word << 24));
    }
#else
    for (; words; words--, in += 4, to += 2 * pixels) {
        to[0] = tn_halves(in[0], in[2]);
        to[pixels] = tn_halves(in[1], in[3]);
    }
#endif
    (void)entry;
    return to;
}

/* `words` words of the input's zero point. */
TN_NOINLINE static uint32_t *tn_widen_padding(int8_t value, uint32_t words, uint32_t pixels, uint32_t *to)
{
    const uint32_t word = tn_halves(value, value);
    for (; words; words--, to += 2 * pixels) {
        to[0] = to[pixels] = word;
    }
    return to;
}

/* The byte at place `place` of a kernel row that begins at column x: padding where that is outside. */
static int8_t tn_patch_byte(const tn_patch *patch, const int8_t *row, int32_t x, uint32_t place)
{
    const int32_t column = x + (int32_t)(place / patch->channels);
    const int outside = column < 0 || column >= patch->columns;
    return outside ? patch->layer->padding : row[(uint32_t)column * patch->channels + place % patch->channels];
}

/* The whole words of a kernel row with some columns outside. */
TN_NOINLINE static uint32_t *tn_widen_edge(const tn_patch *patch, const int8_t *row, int32_t x, uint32_t pixels, uint32_t *to)
{
    if (patch->channels % 4 == 0) { /* columns are whole words */
        const uint32_t words = patch->channels / 4;
        const int32_t end = x + (int32_t)patch->layer->kernel_columns;
        const int32_t from = tn_clamp(0, x, end), until = tn_clamp(patch->columns, from, end);
        to = tn_widen_padding(patch->layer->padding, (uint32_t)(from - x) * words, pixels, to);
        if (until > from) {
            const uint32_t between = (uint32_t)(until - from) * words;
            to = tn_widen_words(row + (uint32_t)from * patch->channels, between, tn_widen_entry(between), pixels, to);
        }
        return tn_widen_padding(patch->layer->padding, (uint32_t)(end - until) * words, pixels, to);
    }
    for (uint32_t place = 0; place < 4 * patch->words; place += 4, to += 2 * pixels) {
        to[0] = tn_halves(tn_patch_byte(patch, row, x, place), tn_patch_byte(patch, row, x, place + 2));
        to[pixels] = tn_halves(tn_patch_byte(patch, row, x, place + 1), tn_patch_byte(patch, row, x, place + 3));
    }
    return to;
}

/* Where the bytes that are left over of kernel rows go: two to a word. */
typedef struct {
    uint32_t *to;
    uint32_t odd; /* whether the next is a word's upper half */
} tn_rest;

TN_INLINE void tn_leave_over(tn_rest *rest, int8_t value, uint32_t pixels)
{
    if (rest->odd) {
        *rest->to = tn_halves((int32_t)*rest->to, value);
        rest->to += pixels;
    } else {
        *rest->to = tn_halves(value, 0);
    }
    rest->odd ^= 1;
}

/* `count` pixels, of `pixels` side by side, all of whose windows are inside; the first begins with place `first` of the
 * rows. What the loops need is in locals, as GCC would read it again after every store. */
TN_INLINE void tn_widen_inside(const tn_patch *patch, uint32_t first, uint32_t count, const uint32_t pixels, uint32_t *to)
{
    const uint32_t words = patch->words, tail = patch->tail, entry = tn_widen_entry(words);
    const uint32_t kernel_rows = patch->layer->kernel_rows, row_bytes = patch->window.row_bytes;
    const uint32_t advance = patch->layer->stride_columns * patch->channels;
    const int8_t *const start = patch->window.start, *const end = patch->window.end;
    const uint32_t rest_at = 2 * words * kernel_rows * pixels;
    for (; count; count--, first += advance, to++) {
        const int8_t *row = patch->window.first;
        uint32_t *next = to;
        tn_rest rest = {to + rest_at, 0};
        for (uint32_t y = kernel_rows; y; y--) {
            const int8_t *in = row + first;
            next = tn_widen_words(in, words, entry, pixels, next);
            in += 4 * words;
            for (uint32_t i = tail; i; i--) {
                tn_leave_over(&rest, *in++, pixels);
            }
            row += row_bytes;
            if (row == end) {
                row = start;
            }
        }
    }
}

TN_NOINLINE static void tn_widen_inside_4(const tn_patch *patch, uint32_t first, uint32_t count, uint32_t *to)
{
    tn_widen_inside(patch, first, count, 4, to);
}

TN_NOINLINE static void tn_widen_inside_fewer(const tn_patch *patch, uint32_t first, uint32_t count, uint32_t pixels,
                                              uint32_t *to)
{
    tn_widen_inside(patch, first, count, pixels, to);
}

/* The same of a window that is partly padding; its first column is x. */
TN_NOINLINE static void tn_widen_padded(const tn_patch *patch, int32_t x, uint32_t pixels, uint32_t *to)
{
    const tn_blocks *const layer = patch->layer;
    const tn_window *const window = &patch->window;
    const int8_t *row = window->first;
    tn_rest rest = {to + 2 * patch->words * layer->kernel_rows * pixels, 0};
    for (uint32_t y = 0; y < layer->kernel_rows; y++) {
        const int there = y - window->above < window->inside;
        to = there ? tn_widen_edge(patch, row, x, pixels, to)
                   : tn_widen_padding(layer->padding, patch->words, pixels, to);
        for (uint32_t i = 0; i < patch->tail; i++) {
            tn_leave_over(&rest, there ? tn_patch_byte(patch, row, x, 4 * patch->words + i) : layer->padding, pixels);
        }
        if (there) {
            row = tn_next_row(window, row);
        }
    }
}

void tn_widen(const tn_patch *patch, uint32_t column, uint32_t pixels, uint32_t *to)
{
    const tn_blocks *const layer = patch->layer;
    const int32_t stride = layer->stride_columns;
    const int32_t x = (int32_t)column * stride - layer->pad_left;
    const int32_t rightmost = patch->columns - layer->kernel_columns;
    if (patch->window.inside < layer->kernel_rows) {
        for (uint32_t i = 0; i < pixels; i++) {
            tn_widen_padded(patch, x + (int32_t)i * stride, pixels, to + i);
        }
        return;
    }
    for (uint32_t i = 0, count; i < pixels; i += count) {
        const int32_t from = x + (int32_t)i * stride;
        count = 1;
        if (from < 0 || from > rightmost) {
            tn_widen_padded(patch, from, pixels, to + i);
            continue;
        }
        while (i + count < pixels && from + (int32_t)count * stride <= rightmost) {
            count++;
        }
        if (pixels == 4) {
            tn_widen_inside_4(patch, (uint32_t)from * patch->channels, count, to + i);
        } else {
            tn_widen_inside_fewer(patch, (uint32_t)from * patch->channels, count, pixels, to + i);
        }
    }
}

tn_patch tn_patch_at(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_map *const input = op->inputs[0];
    tn_patch patch;
    patch.layer = layer;
    patch.window = tn_window_at(input, arena, step * layer->stride_rows - layer->pad_top, layer->kernel_rows);
    patch.columns = (int32_t)input->columns;
    patch.channels = input->channels;
    patch.words = layer->kernel_columns * input->channels / 4;
    patch.tail = layer->kernel_columns * input->channels % 4;
    return patch;
}

tn_patch tn_patch_of_vector(const tn_op *op, int8_t *arena)
{
    const tn_map *const input = op->inputs[0];
    const uint32_t bytes = input->rows * input->columns * input->channels;
    tn_patch patch;
    patch.layer = op->parameters;
    patch.window = tn_window_at(input, arena, 0, 1);
    patch.columns = 1;
    patch.channels = bytes;
    patch.words = bytes / 4;
    patch.tail = bytes % 4;
    return patch;
}

tn_target tn_target_of(const tn_op *op, int8_t *arena, int step)
{
    tn_target target;
    target.row = tn_row(op->output, arena, (unsigned)step);
    target.planes = op->output->size == 2;
    target.channels = target.planes ? op->output->columns : op->output->channels;
    target.pitch = 2 * op->output->channels;
    return target;
}

/* Sets column `from` to `until` of a row of planes to 0: planes hold values less their zero point. */
static void tn_clear_columns(const tn_map *output, uint32_t from, uint32_t until, int8_t *row)
{
    const uint32_t pitch = output->channels;
    for (; from < until; from++) {
        int16_t *value = (int16_t *)(void *)row + from;
        for (uint32_t i = output->columns; i; i--, value += pitch) {
            *value = 0;
        }
    }
}

void tn_finish_row(const tn_op *op, const tn_target *target)
{
    const tn_blocks *const layer = op->parameters;
    if (target->planes) {
        tn_clear_columns(op->output, 0, layer->before, target->row);
        tn_clear_columns(op->output, layer->before + layer->columns, op->output->channels, target->row);
    } else {
        tn_clamp_row(target->row, layer->columns * target->channels, layer->low, layer->high);
    }
}
