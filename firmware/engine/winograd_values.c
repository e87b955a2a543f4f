/* The input's part of Winograd's transformation, see winograd.c: B d B' of two tiles, 4 rows by 6 columns each.
 *
 * First along each row: 42 instructions for the six values of two channels. Then down the columns, in place, from
 * rows x0 .. x3: x0 - x2, x1 + x2, x2 - x1, x1 - x3; 8 instructions for these four of two channels.
 */
#include "tn_winograd.h"

#if TN_DSP
/* B d of two channels: bytes 0 and 2 of a word, or 1 and 3. Columns are n bytes apart, q is the fourth; values k, u is the
 * fourth. */
#define TN_COLUMN(to, at, ror) "ldr %[" to "], [" at "] \n" "sxtb16 %[" to "], %[" to "] " ror " \n"
#define TN_QUADRUPLE(to, of) "sadd16 %[" to "], %[" of "], %[" of "] \n" "sadd16 %[" to "], %[" to "], %[" to "] \n"
#define TN_TRANSFORM(ror, first)                \
    TN_COLUMN("d1", "%[p], %[n]", ror)          \
    TN_COLUMN("d2", "%[p], %[n], lsl #1", ror)  \
    TN_COLUMN("d3", "%[q]", ror)                \
    TN_COLUMN("d4", "%[q], %[n]", ror)          \
    TN_QUADRUPLE("a", "d1")                    \
    TN_QUADRUPLE("b", "d2")                    \
    "ssub16 %[a], %[d3], %[a]               \n" \
    "ssub16 %[b], %[d4], %[b]               \n" \
    "sadd16 %[c], %[b], %[a]                \n" \
    "str    %[c], [%[to], %[k]]             \n" \
    "ssub16 %[c], %[b], %[a]                \n" \
    "str    %[c], [%[to], %[k], lsl #1]     \n" \
    "ssub16 %[b], %[b], %[d2]               \n" \
    "ssub16 %[d4], %[d4], %[d2]             \n" \
    "ssub16 %[d1], %[d3], %[d1]             \n" \
    "sadd16 %[d1], %[d1], %[d1]             \n" \
    "sadd16 %[c], %[d4], %[d1]              \n" \
    "str    %[c], [%[u]]                    \n" \
    "ssub16 %[c], %[d4], %[d1]              \n" \
    "str    %[c], [%[u], %[k]]              \n" \
    "ldr    %[c], [%[q], %[n], lsl #1]      \n" \
    "ldr    %[d2], " first "                \n" \
    TN_QUADRUPLE("d3", "d3")                   \
    "sxtb16 %[c], %[c] " ror "              \n" \
    "sxtb16 %[d2], %[d2] " ror "            \n" \
    "ssub16 %[c], %[c], %[d3]               \n" \
    TN_QUADRUPLE("d2", "d2")                   \
    "ssub16 %[c], %[c], %[a]                \n" \
    "sadd16 %[b], %[b], %[d2]               \n" \
    "str    %[c], [%[u], %[k], lsl #1]      \n" \
    "str    %[b], [%[to]], #8               \n" \
    "add    %[u], %[u], #8                  \n"
#else
/* The same of one channel. */
static void tn_transform_channel(const int8_t *in, uint32_t channels, uint32_t *to, uint32_t half, uint32_t apart)
{
    static const int8_t rows[TN_ALONG][TN_ALONG] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                                                      {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
    for (uint32_t value = 0; value < TN_ALONG; value++) {
        int16_t sum = 0;
        for (uint32_t column = 0; column < TN_ALONG; column++) {
            sum = (int16_t)(sum + rows[value][column] * in[column * channels]);
        }
        memcpy((int8_t *)(to + value * apart) + 2 * half, &sum, sizeof sum);
    }
}
#endif

/* The values along a row of a tile of `depth` channels, whose columns lie side by side; those of one kind are `apart` words
 * apart. */
static void tn_transform(const int8_t *in, uint32_t channels, uint32_t depth, uint32_t *to, uint32_t apart)
{
#if TN_DSP
    const int8_t *const end = in + depth, *fourth = in + 3 * channels;
    uint32_t *to_fourth = to + 3 * apart;
    uint32_t d1, d2, d3, d4, a, b, c;
    __asm__ volatile("1:                    \n"
                     TN_TRANSFORM("", "[%[p]]")
                     TN_TRANSFORM(", ror #8", "[%[p]], #4")
                     "ldr  %[c], %[end]     \n"
                     "add  %[q], %[q], #4   \n"
                     "cmp  %[p], %[c]       \n"
                     "bne  1b               \n"
                     : [p] "+r"(in), [q] "+r"(fourth), [to] "+r"(to), [u] "+r"(to_fourth), [d1] "=&r"(d1), [d2] "=&r"(d2),
                       [d3] "=&r"(d3), [d4] "=&r"(d4), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c)
                     : [n] "r"(channels), [k] "r"(4 * apart), [end] "m"(end)
                     : "memory", "cc");
#else
    static const uint8_t lanes[4] = {0, 2, 1, 3};
    for (uint32_t i = 0; i < depth; i++) {
        tn_transform_channel(in + i / 4 * 4 + lanes[i % 4], channels, to + i / 2 * TN_TILES, i % 2, apart);
    }
#endif
}

/* The same of a row that is all padding: all columns are alike, and all rows of B but one add up to 0. */
static void tn_transform_padding(int8_t padding, uint32_t depth, uint32_t *to, uint32_t apart)
{
    const uint32_t word = tn_halves(-6 * padding, -6 * padding);
    for (uint32_t i = depth / 2; i; i--, to += TN_TILES) {
        for (uint32_t value = 0; value < TN_ALONG; value++) {
            to[value * apart] = value == 1 ? word : 0;
        }
    }
}

/* The columns of a tile that begins at column x, where some are outside: copied to `to`, with padding. */
static void tn_copy_columns(const tn_patch *patch, const int8_t *row, int32_t x, int8_t *to)
{
    const int32_t end = x + TN_ALONG, from = tn_clamp(0, x, end), until = tn_clamp(patch->columns, from, end);
    const uint32_t before = (uint32_t)(from - x) * patch->channels, behind = (uint32_t)(end - until) * patch->channels;
    const uint32_t inside = (uint32_t)(until - from) * patch->channels;
    memset(to, patch->layer->padding, before);
    memcpy(to + before, row + (uint32_t)from * patch->channels, inside);
    memset(to + before + inside, patch->layer->padding, behind);
}

#if TN_DSP
/* Two words of each row. */
#define TN_DOWN_COLUMNS                         \
    "ldrd   %[a], %[b], [%[x0]]             \n" \
    "ldrd   %[c], %[d], [%[x2]]             \n" \
    "ldrd   %[e], %[f], [%[x1]]             \n" \
    "ssub16 %[a], %[a], %[c]                \n" \
    "ssub16 %[b], %[b], %[d]                \n" \
    "strd   %[a], %[b], [%[x0]], #8         \n" \
    "sadd16 %[a], %[c], %[e]                \n" \
    "sadd16 %[b], %[d], %[f]                \n" \
    "strd   %[a], %[b], [%[x1]], #8         \n" \
    "ssub16 %[c], %[c], %[e]                \n" \
    "ldrd   %[a], %[b], [%[x3]]             \n" \
    "ssub16 %[d], %[d], %[f]                \n" \
    "strd   %[c], %[d], [%[x2]], #8         \n" \
    "ssub16 %[e], %[e], %[a]                \n" \
    "ssub16 %[f], %[f], %[b]                \n" \
    "strd   %[e], %[f], [%[x3]], #8         \n"
#else
/* Differences and sums of both halves of two words. */
TN_INLINE uint32_t tn_less(uint32_t a, uint32_t b)
{
    return tn_halves(tn_low(a) - tn_low(b), tn_high(a) - tn_high(b));
}

TN_INLINE uint32_t tn_plus(uint32_t a, uint32_t b)
{
    return tn_halves(tn_low(a) + tn_low(b), tn_high(a) + tn_high(b));
}
#endif

/* The values down the columns of both tiles, in the place of four rows of one kind, of `words` (even) each. */
static void tn_transform_down(uint32_t *x0, uint32_t words)
{
    uint32_t *x1 = x0 + words, *x2 = x1 + words, *x3 = x2 + words;
#if TN_DSP
    uint32_t *const end = x1;
    uint32_t a, b, c, d, e, f;
    __asm__ volatile("1:               \n"
                     TN_DOWN_COLUMNS
                     "cmp  %[x0], %[end] \n"
                     "bne  1b            \n"
                     : [x0] "+&r"(x0), [x1] "+&r"(x1), [x2] "+&r"(x2), [x3] "+&r"(x3), [a] "=&r"(a), [b] "=&r"(b),
                       [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f)
                     : [end] "r"(end)
                     : "memory", "cc");
#else
    for (uint32_t i = 0; i < words; i++) {
        const uint32_t first = x1[i], second = x2[i];
        x0[i] = tn_less(x0[i], second);
        x1[i] = tn_plus(first, second);
        x2[i] = tn_less(second, first);
        x3[i] = tn_less(first, x3[i]);
    }
#endif
}

void tn_transform_tiles(const tn_patch *patch, uint32_t column, int8_t *padded, uint32_t *values)
{
    const uint32_t channels = patch->channels, depth = patch->layer->depth, words = TN_TILES * depth / 2;
    /* the last of channels that are no whole words are read with what is behind them, which must not be behind the row */
    const int32_t last = patch->columns - TN_ALONG - (depth > channels);
    const int8_t *row = patch->window.first;
    for (uint32_t y = 0; y < TN_DOWN; y++) {
        const int there = y - patch->window.above < patch->window.inside;
        for (uint32_t tile = 0; tile < TN_TILES; tile++) {
            const int32_t x = (int32_t)(column + TN_TILE * tile) - patch->layer->pad_left;
            uint32_t *const to = values + y * words + tile;
            const int8_t *columns = padded;
            if (!there) {
                tn_transform_padding(patch->layer->padding, depth, to, TN_DOWN * words);
                continue;
            }
            if (x >= 0 && x <= last) {
                columns = row + (uint32_t)x * channels;
            } else {
                tn_copy_columns(patch, row, x, padded);
            }
            tn_transform(columns, channels, depth, to, TN_DOWN * words);
        }
        row = there ? tn_next_row(&patch->window, row) : row;
    }
    for (uint32_t kind = 0; kind < TN_ALONG; kind++) {
        tn_transform_down(values + kind * TN_DOWN * words, words);
    }
}
