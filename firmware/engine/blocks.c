/* Convolutions and dense layers by blocks of pixels and channels: the inputs, which all layouts of weights
 * share. See tn_blocks.h. */
#include "tn_blocks.h"

/* Bytes that are copied to be padded. */
enum { TN_COPIED = 192 };

/* `words` words of int8 of one pixel as pairs of int16, `pixels` words apart. Returns where the next goes. */
TN_INLINE uint32_t *tn_widen_words(const int8_t *in, uint32_t words, uint32_t pixels, uint32_t *to)
{
    for (; words; words--, in += 4, to += 2 * pixels) {
#if TN_DSP
        const uint32_t word = tn_load4(in);
        to[0] = tn_even_bytes(word);
        to[pixels] = tn_odd_bytes(word);
#else
        to[0] = tn_halves(in[0], in[2]);
        to[pixels] = tn_halves(in[1], in[3]);
#endif
    }
    return to;
}

#if TN_DSP
/* A word of each of four, three, two, one pixels, which are n bytes apart: 14, 12, 8, 4 instructions. */
#define TN_WIDEN_4                           \
    "ldr    %[b], [%[p], %[n]]           \n" \
    "ldr    %[a], [%[p]], #4             \n" \
    "ldr    %[d], [%[q], %[n]]           \n" \
    "sxtb16 %[f], %[b]                   \n" \
    "ldr    %[c], [%[q]], #4             \n" \
    "sxtb16 %[e], %[a]                   \n" \
    "sxtb16 %[b], %[b], ror #8           \n" \
    "sxtb16 %[h], %[d]                   \n" \
    "sxtb16 %[a], %[a], ror #8           \n" \
    "sxtb16 %[g], %[c]                   \n" \
    "sxtb16 %[d], %[d], ror #8           \n" \
    "sxtb16 %[c], %[c], ror #8           \n" \
    "stm.w  %[to]!, {%[e], %[f], %[g], %[h]} \n" \
    "stm.w  %[to]!, {%[a], %[b], %[c], %[d]} \n"
#define TN_WIDEN_3                           \
    "ldr    %[b], [%[p], %[n]]           \n" \
    "ldr    %[a], [%[p]], #4             \n" \
    "ldr    %[c], [%[q]], #4             \n" \
    "sxtb16 %[f], %[b]                   \n" \
    "sxtb16 %[e], %[a]                   \n" \
    "strd   %[e], %[f], [%[to]], #8      \n" \
    "sxtb16 %[e], %[c]                   \n" \
    "sxtb16 %[a], %[a], ror #8           \n" \
    "strd   %[e], %[a], [%[to]], #8      \n" \
    "sxtb16 %[b], %[b], ror #8           \n" \
    "sxtb16 %[c], %[c], ror #8           \n" \
    "strd   %[b], %[c], [%[to]], #8      \n"
#define TN_WIDEN_2                           \
    "ldr    %[b], [%[p], %[n]]           \n" \
    "ldr    %[a], [%[p]], #4             \n" \
    "sxtb16 %[d], %[b]                   \n" \
    "sxtb16 %[c], %[a]                   \n" \
    "strd   %[c], %[d], [%[to]], #8      \n" \
    "sxtb16 %[a], %[a], ror #8           \n" \
    "sxtb16 %[b], %[b], ror #8           \n" \
    "strd   %[a], %[b], [%[to]], #8      \n"
#define TN_WIDEN_1                           \
    "ldr    %[a], [%[p]], #4             \n" \
    "sxtb16 %[b], %[a]                   \n" \
    "sxtb16 %[a], %[a], ror #8           \n" \
    "strd   %[b], %[a], [%[to]], #8      \n"
#define TN_WIDEN_LOOP(words)                                                                                        \
    __asm__ volatile("1: \n" words "cmp %[p], %[end] \n"                                                           \
                     "bne 1b \n"                                                                                    \
                     : [p] "+r"(in), [q] "+r"(third), [to] "+r"(to), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),      \
                       [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)                         \
                     : [n] "r"(apart), [end] "r"(end)                                                               \
                     : "memory", "cc")
#endif

/* The same of `pixels` pixels, `apart` bytes apart, side by side. */
TN_INLINE uint32_t *tn_widen_together(const int8_t *in, uint32_t apart, uint32_t words, const uint32_t pixels, uint32_t *to)
{
#if TN_DSP
    const int8_t *const end = in + 4 * words, *third = in + 2 * apart;
    /* STM stores by rising numbers of registers */
    register uint32_t a __asm__("r4"), b __asm__("r5"), c __asm__("r6"), d __asm__("r8");
    register uint32_t e __asm__("r9"), f __asm__("r10"), g __asm__("r11"), h __asm__("r12");
    if (!words) {
        return to;
    }
    if (pixels == 4) {
        TN_WIDEN_LOOP(TN_WIDEN_4);
    } else if (pixels == 3) {
        TN_WIDEN_LOOP(TN_WIDEN_3);
    } else if (pixels == 2) {
        TN_WIDEN_LOOP(TN_WIDEN_2);
    } else {
        TN_WIDEN_LOOP(TN_WIDEN_1);
    }
    return to;
#else
    for (uint32_t i = 0; i < pixels; i++) {
        tn_widen_words(in + i * apart, words, pixels, to + i);
    }
    return to + 2 * words * pixels;
#endif
}

void tn_widen_four(const int8_t *in, uint32_t apart, uint32_t words, uint32_t *to)
{
    tn_widen_together(in, apart, words, 4, to);
}

void tn_widen_few(const int8_t *in, uint32_t apart, uint32_t words, uint32_t pixels, uint32_t *to)
{
    if (pixels == 3) {
        tn_widen_together(in, apart, words, 3, to);
    } else if (pixels == 2) {
        tn_widen_together(in, apart, words, 2, to);
    } else {
        tn_widen_together(in, apart, words, 1, to);
    }
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
            to = tn_widen_words(row + (uint32_t)from * patch->channels, (uint32_t)(until - from) * words, pixels, to);
        }
        return tn_widen_padding(patch->layer->padding, (uint32_t)(end - until) * words, pixels, to);
    }
    for (uint32_t place = 0; place < 4 * patch->words; place += 4, to += 2 * pixels) {
        to[0] = tn_halves(tn_patch_byte(patch, row, x, place), tn_patch_byte(patch, row, x, place + 2));
        to[pixels] = tn_halves(tn_patch_byte(patch, row, x, place + 1), tn_patch_byte(patch, row, x, place + 3));
    }
    return to;
}

/* The values left over of kernel rows are numbered; number `i` of `pixels` pixels side by side is a half of a word. */
TN_INLINE void tn_leave_over(uint32_t *rest, uint32_t i, uint32_t pixels, int32_t value)
{
    const int16_t half = (int16_t)value;
    memcpy((int16_t *)(void *)(rest + i / 2 * pixels) + i % 2, &half, sizeof half);
}

/* A value of each of four pixels, `apart` bytes apart, to halves of four words. */
TN_INLINE void tn_widen_values(const int8_t *in, uint32_t apart, int8_t *half)
{
#if TN_DSP
    const int8_t *third = in + 2 * apart; /* GCC would make four pointers of it */
    uint32_t a, b;
    __asm__ volatile("ldrsb  %[a], [%[p]]       \n"
                     "ldrsb  %[b], [%[p], %[n]] \n"
                     "strh   %[a], [%[to]]      \n"
                     "strh   %[b], [%[to], #4]  \n"
                     "ldrsb  %[a], [%[q]]       \n"
                     "ldrsb  %[b], [%[q], %[n]] \n"
                     "strh   %[a], [%[to], #8]  \n"
                     "strh   %[b], [%[to], #12] \n"
                     : [a] "=&r"(a), [b] "=&r"(b)
                     : [p] "r"(in), [q] "r"(third), [n] "r"(apart), [to] "r"(half)
                     : "memory");
#else
    for (uint32_t pixel = 0; pixel < 4; pixel++, in += apart, half += 4) {
        const int16_t value = *in;
        memcpy(half, &value, sizeof value);
    }
#endif
}

/* Four pixels, all of whose windows are inside; the first begins with place `first` of the rows, and they are `apart`
 * bytes apart. What the loops need is in locals, as GCC would read it again after every store. */
TN_INLINE void tn_widen_inside(const tn_patch *patch, uint32_t first, uint32_t apart, uint32_t *to)
{
    const uint32_t words = patch->words, tail = patch->tail, row_bytes = patch->window.row_bytes;
    const uint32_t rows = patch->layer->kernel_rows;
    const int8_t *const start = patch->window.start, *const end = patch->window.end;
    const int8_t *row = patch->window.first;
    int8_t *half = (int8_t *)(to + 8 * words * rows); /* for what is left over of the rows */
    uint32_t odd = 0;
    for (uint32_t y = rows; y; y--) {
        const int8_t *in = row + first;
        to = tn_widen_together(in, apart, words, 4, to);
        in += 4 * words;
        for (const int8_t *const behind = in + tail; in != behind; in++, odd ^= 1) {
            tn_widen_values(in, apart, half);
            half += odd ? 14 : 2;
        }
        row += row_bytes;
        if (row == end) {
            row = start;
        }
    }
}

/* The same of one pixel of several. */
TN_NOINLINE static void tn_widen_single(const tn_patch *patch, uint32_t first, uint32_t pixels, uint32_t *to)
{
    const int8_t *row = patch->window.first;
    uint32_t *const rest = to + 2 * patch->words * patch->layer->kernel_rows * pixels;
    for (uint32_t y = patch->layer->kernel_rows, over = 0; y; y--) {
        const int8_t *in = row + first;
        to = tn_widen_words(in, patch->words, pixels, to);
        in += 4 * patch->words;
        for (uint32_t i = patch->tail; i; i--, over++) {
            tn_leave_over(rest, over, pixels, *in++);
        }
        row = tn_next_row(&patch->window, row);
    }
}

/* The same of a window that is partly padding; its first column is x. */
TN_NOINLINE static void tn_widen_padded(const tn_patch *patch, int32_t x, uint32_t pixels, uint32_t *to)
{
    const tn_blocks *const layer = patch->layer;
    const tn_window *const window = &patch->window;
    const int8_t *row = window->first;
    uint32_t *const rest = to + 2 * patch->words * layer->kernel_rows * pixels;
    for (uint32_t y = 0, over = 0; y < layer->kernel_rows; y++) {
        const int there = y - window->above < window->inside;
        to = there ? tn_widen_edge(patch, row, x, pixels, to)
                   : tn_widen_padding(layer->padding, patch->words, pixels, to);
        for (uint32_t i = 0; i < patch->tail; i++, over++) {
            const int8_t value = there ? tn_patch_byte(patch, row, x, 4 * patch->words + i) : layer->padding;
            tn_leave_over(rest, over, pixels, value);
        }
        if (there) {
            row = tn_next_row(window, row);
        }
    }
}

TN_NOINLINE static void tn_widen_whole(const tn_patch *patch, uint32_t first, uint32_t pixels, uint32_t *to)
{
    const uint32_t apart = patch->layer->stride_columns * patch->channels;
    if (pixels == 4) {
        tn_widen_inside(patch, first, apart, to);
        return;
    }
    for (uint32_t i = 0; i < pixels; i++) { /* the last of a row: too few for more code */
        tn_widen_single(patch, first + i * apart, pixels, to + i);
    }
}

/* Pixels of which some have padding, the first window's first column is x: what few bytes they see is copied, with the
 * padding, and then no different from any. Columns are many and channels few where a network begins. */
TN_NOINLINE static void tn_widen_copy(const tn_patch *patch, int32_t x, uint32_t columns, uint32_t pixels, uint32_t *to)
{
    const uint32_t channels = patch->channels, bytes = columns * channels, rows = patch->layer->kernel_rows;
    const int32_t end = x + (int32_t)columns;
    const int32_t from = tn_clamp(0, x, end), until = tn_clamp(patch->columns, from, end);
    const uint32_t shared = (uint32_t)(until - from) * channels;
    const int8_t *row = patch->window.first + (uint32_t)from * channels;
    int8_t copy[TN_COPIED];
    int8_t *next = copy + patch->window.above * bytes + (uint32_t)(from - x) * channels;
    tn_patch copied = *patch;
    copied.window.first = copied.window.start = copy;
    copied.window.row_bytes = bytes;
    copied.window.end = copy + rows * bytes;
    memset(copy, patch->layer->padding, rows * bytes);
    for (uint32_t i = patch->window.inside; i && shared; i--, next += bytes) {
        memcpy(next, row, shared);
        row += patch->window.row_bytes;
        if (row >= patch->window.end) {
            row -= patch->window.end - patch->window.start;
        }
    }
    tn_widen_whole(&copied, 0, pixels, to);
}

/* The same of more bytes, pixel by pixel. */
TN_NOINLINE static void tn_widen_each(const tn_patch *patch, int32_t x, uint32_t pixels, uint32_t *to)
{
    const int32_t rightmost = patch->columns - patch->layer->kernel_columns;
    const int whole = patch->window.inside == patch->layer->kernel_rows;
    for (uint32_t i = 0; i < pixels; i++, x += patch->layer->stride_columns) {
        if (whole && x >= 0 && x <= rightmost) {
            tn_widen_single(patch, (uint32_t)x * patch->channels, pixels, to + i);
        } else {
            tn_widen_padded(patch, x, pixels, to + i);
        }
    }
}

void tn_widen(const tn_patch *patch, uint32_t column, uint32_t pixels, uint32_t *to)
{
    const tn_blocks *const layer = patch->layer;
    const uint32_t columns = (pixels - 1) * layer->stride_columns + layer->kernel_columns;
    const int32_t x = (int32_t)(column * layer->stride_columns) - layer->pad_left;
    if (patch->window.inside == layer->kernel_rows && x >= 0 && x + (int32_t)columns <= patch->columns) {
        tn_widen_whole(patch, (uint32_t)x * patch->channels, pixels, to);
    } else if (columns * patch->channels * layer->kernel_rows <= TN_COPIED) {
        tn_widen_copy(patch, x, columns, pixels, to);
    } else {
        tn_widen_each(patch, x, pixels, to);
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
