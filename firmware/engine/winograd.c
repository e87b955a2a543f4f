/* 3 x 3 convolutions of stride 1 by Winograd's F(4,3) along the columns, in exact integers: six products where there were
 * twelve.
 *
 * Of a kernel row w0 w1 w2 the six factors G w stand in flash, times 24 so that they are whole; of a row of the input each
 * tile of six columns d0 .. d5, four apart, becomes six values B d. Their products, summed over the kernel's rows and the
 * input channels, are six sums m0 .. m5, of which A m is 24 times four outputs side by side:
 *
 *     G  6  0  0     B  4  0 -5  0  1  0     A  1  1  1  1  1  0
 *       -4 -4 -4        0 -4 -4  1  1  0        0  1 -1  2 -2  0
 *       -4  4 -4        0  4 -4 -1  1  0        0  1  1  4  4  0
 *        1  2  4        0 -2 -1  2  1  0        0  1 -1  8 -8  1
 *        1 -2  4        0  2 -1 -2  1  0
 *        0  0 24        0  4  0 -5  0  1
 *
 * Sums may wrap around in 32 bits as long as 24 times an output does not: then what is left of the division by 8, that by 3,
 * is a product with the inverse of 3. Two tiles (8 columns) by four output channels are made at a time:
 *
 *     values   [6][3 rows][channels / 2] words of two tiles     a word is two channels, in SXTB16's order 0 2 1 3
 *     weights  [outputs / 4][6][3 rows][channels / 2] words of four output channels, likewise
 *     sums     [6][4 output channels][2 tiles]
 *
 * The inner loop is 11 instructions for 16 products of two channels, which stand for 32 of the convolution; around it are 17
 * for eight sums, 42 for a word of all six values, and 57 for four outputs.
 */
#include "tn_blocks.h"

/* Values of a tile, its columns, outputs of one; tiles and output channels at a time; kernel rows. */
enum { TN_VALUES = 6, TN_TILE = 4, TN_TILES = 2, TN_FOUR = 4, TN_KERNEL = 3, TN_SUMS = TN_TILES * TN_FOUR };

/* The inverse of 3 in 32 bits. */
#define TN_THIRD 0xaaaaaaabu

/* A step's working memory. */
typedef struct {
    uint32_t *values;
    int32_t *sums;
    int8_t *columns; /* of a tile with padding */
} tn_winograd;

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
    static const int8_t rows[TN_VALUES][TN_VALUES] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                                                      {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
    for (uint32_t value = 0; value < TN_VALUES; value++) {
        int16_t sum = 0;
        for (uint32_t column = 0; column < TN_VALUES; column++) {
            sum = (int16_t)(sum + rows[value][column] * in[column * channels]);
        }
        memcpy((int8_t *)(to + value * apart) + 2 * half, &sum, sizeof sum);
    }
}
#endif

/* The values of a tile's columns, which lie side by side, in one kernel row; those of one kind are `apart` words apart. */
static void tn_transform(const int8_t *in, uint32_t channels, uint32_t *to, uint32_t apart)
{
#if TN_DSP
    const int8_t *const end = in + channels, *fourth = in + 3 * channels;
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
    for (uint32_t i = 0; i < channels; i++) {
        tn_transform_channel(in + i / 4 * 4 + lanes[i % 4], channels, to + i / 2 * TN_TILES, i % 2, apart);
    }
#endif
}

/* The same of a row that is all padding: all columns are alike, and all rows of B but one add up to 0. */
static void tn_transform_padding(int8_t padding, uint32_t channels, uint32_t *to, uint32_t apart)
{
    const uint32_t word = tn_halves(-6 * padding, -6 * padding);
    for (uint32_t i = channels / 2; i; i--, to += TN_TILES) {
        for (uint32_t value = 0; value < TN_VALUES; value++) {
            to[value * apart] = value == 1 ? word : 0;
        }
    }
}

/* The columns of a tile that begins at column x, where some are outside: copied to `to`, with padding. */
static void tn_copy_columns(const tn_patch *patch, const int8_t *row, int32_t x, int8_t *to)
{
    for (int32_t i = x; i < x + TN_VALUES; i++, to += patch->channels) {
        if (i < 0 || i >= patch->columns) {
            memset(to, patch->layer->padding, patch->channels);
        } else {
            memcpy(to, row + (uint32_t)i * patch->channels, patch->channels);
        }
    }
}

/* The values of the two tiles whose outputs begin at `column`. */
static void tn_transform_tiles(const tn_patch *patch, uint32_t column, const tn_winograd *working)
{
    const uint32_t channels = patch->channels, apart = TN_TILES * TN_KERNEL * channels / 2;
    const int8_t *row = patch->window.first;
    for (uint32_t y = 0; y < TN_KERNEL; y++) {
        const int there = y - patch->window.above < patch->window.inside;
        for (uint32_t tile = 0; tile < TN_TILES; tile++) {
            const int32_t x = (int32_t)(column + TN_TILE * tile) - patch->layer->pad_left;
            uint32_t *const to = working->values + y * channels / 2 * TN_TILES + tile;
            if (!there) {
                tn_transform_padding(patch->layer->padding, channels, to, apart);
            } else if (x >= 0 && x + TN_VALUES <= patch->columns) {
                tn_transform(row + (uint32_t)x * channels, channels, to, apart);
            } else {
                tn_copy_columns(patch, row, x, working->columns);
                tn_transform(working->columns, channels, to, apart);
            }
        }
        row = there ? tn_next_row(&patch->window, row) : row;
    }
}

#if TN_DSP
#define TN_STEP_SUMS                       \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smlad  %[s0], %[c], %[a], %[s0]   \n" \
    "smlad  %[s1], %[c], %[b], %[s1]   \n" \
    "smlad  %[s2], %[d], %[a], %[s2]   \n" \
    "smlad  %[s3], %[d], %[b], %[s3]   \n" \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "smlad  %[s4], %[c], %[a], %[s4]   \n" \
    "smlad  %[s5], %[c], %[b], %[s5]   \n" \
    "smlad  %[s6], %[d], %[a], %[s6]   \n" \
    "smlad  %[s7], %[d], %[b], %[s7]   \n"
/* The first adds to nothing. */
#define TN_FIRST_SUMS                      \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "ldrd   %[a], %[b], [%[x]], #8     \n" \
    "smuad  %[s0], %[c], %[a]          \n" \
    "smuad  %[s1], %[c], %[b]          \n" \
    "smuad  %[s2], %[d], %[a]          \n" \
    "smuad  %[s3], %[d], %[b]          \n" \
    "ldrd   %[c], %[d], [%[w]], #8     \n" \
    "smuad  %[s4], %[c], %[a]          \n" \
    "smuad  %[s5], %[c], %[b]          \n" \
    "smuad  %[s6], %[d], %[a]          \n" \
    "smuad  %[s7], %[d], %[b]          \n"
#define TN_SIX_STEPS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS
/* Bytes of a step, and steps of a round. */
enum { TN_SUMS_BYTES = 11 * 4, TN_ROUND = 12 };
#endif

/* All sums of two tiles and four output channels. Returns the next weights. */
static const int16_t *tn_winograd_sums(const int16_t *weights, const uint32_t *values, uint32_t steps, int32_t *sums)
{
#if TN_DSP
    const uint32_t entry = tn_entry(steps - 1, TN_ROUND, TN_SUMS_BYTES), bytes = steps * TN_TILES * 4;
    const uint32_t *end = values + steps * TN_TILES, *const last = values + TN_VALUES * steps * TN_TILES;
    int32_t s0, s1, s2, s3, s4, s5, s6, s7;
    uint32_t a, b, c, d, enter;
    __asm__ volatile("adr.w  %[a], 2f             \n"
                     "ldr    %[b], %[entry]       \n"
                     "add    %[a], %[a], %[b]     \n"
                     "str    %[a], %[enter]       \n"
                     "1:                          \n"
                     TN_FIRST_SUMS
                     "ldr.w  pc, %[enter]         \n"
                     ".p2align 2                  \n"
                     "2:                          \n"
                     TN_SIX_STEPS TN_SIX_STEPS
                     "ldr    %[a], %[end]         \n"
                     "cmp    %[x], %[a]           \n"
                     "bne    2b                   \n"
                     "ldr    %[b], %[sums]        \n"
                     "ldr    %[c], %[bytes]       \n"
                     "strd   %[s0], %[s1], [%[b]], #8 \n"
                     "strd   %[s2], %[s3], [%[b]], #8 \n"
                     "strd   %[s4], %[s5], [%[b]], #8 \n"
                     "strd   %[s6], %[s7], [%[b]], #8 \n"
                     "str    %[b], %[sums]        \n"
                     "ldr    %[b], %[last]        \n"
                     "add    %[a], %[a], %[c]     \n"
                     "str    %[a], %[end]         \n"
                     "cmp    %[x], %[b]           \n"
                     "bne    1b                   \n"
                     : [w] "+r"(weights), [x] "+r"(values), [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2),
                       [s3] "=&r"(s3), [s4] "=&r"(s4), [s5] "=&r"(s5), [s6] "=&r"(s6), [s7] "=&r"(s7), [a] "=&r"(a),
                       [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [end] "+m"(end), [sums] "+m"(sums), [enter] "=&m"(enter)
                     : [entry] "m"(entry), [bytes] "m"(bytes), [last] "m"(last)
                     : "memory", "cc");
    return weights;
#else
    for (uint32_t value = 0; value < TN_VALUES; value++, sums += TN_SUMS) {
        uint32_t made[TN_SUMS] = {0}; /* may wrap around, as SMLAD does */
        for (uint32_t i = 0; i < steps; i++, values += TN_TILES, weights += 2 * TN_FOUR) {
            for (uint32_t k = 0; k < TN_SUMS; k++) {
                const int16_t *const w = weights + k / TN_TILES * 2;
                const uint32_t x = values[k % TN_TILES];
                made[k] += (uint32_t)(w[0] * tn_low(x) + w[1] * tn_high(x));
            }
        }
        memcpy(sums, made, sizeof made);
    }
    return weights;
#endif
}

/* An output of 24 times its sum without bias. */
TN_INLINE int8_t tn_winograd_output(uint32_t sum, const int32_t *constants)
{
    const int32_t x = (int32_t)((uint32_t)((int32_t)sum >> 2) * TN_THIRD + (uint32_t)constants[TN_BIAS]);
    const int32_t high = tn_high_plus(x, constants[TN_MULTIPLIER], constants[TN_ROUNDING]);
    return tn_saturate((high + (x >> 31)) >> constants[TN_SHIFT]);
}

/* The first `count` (1 to 4) outputs of one channel in one tile, `step` bytes apart. */
static void tn_winograd_outputs(const int32_t *sums, const int32_t *constants, uint32_t count, int8_t *out, uint32_t step)
{
    const uint32_t m1 = (uint32_t)sums[TN_SUMS], m2 = (uint32_t)sums[2 * TN_SUMS];
    const uint32_t m3 = (uint32_t)sums[3 * TN_SUMS], m4 = (uint32_t)sums[4 * TN_SUMS];
    const uint32_t made[TN_TILE] = {(uint32_t)sums[0] + m1 + m2 + m3 + m4, m1 - m2 + 2 * (m3 - m4), m1 + m2 + 4 * (m3 + m4),
                                    m1 - m2 + 8 * (m3 - m4) + (uint32_t)sums[5 * TN_SUMS]};
    for (uint32_t i = 0; i < count; i++) {
        out[i * step] = tn_winograd_output(made[i], constants);
    }
}

#if TN_DSP
#define TN_OUTPUT(of, to)                                 \
    "asr    %[" of "], %[" of "], #2                  \n" \
    "mla    %[" of "], %[" of "], %[third], %[bias]   \n" \
    "smmlar %[e], %[" of "], %[multiplier], %[rounding] \n" \
    "add    %[e], %[e], %[" of "], asr #31            \n" \
    "asr    %[e], %[e], %[shift]                      \n" \
    "ssat   %[e], #8, %[e]                            \n" \
    "strb   %[e], [" to "]                            \n"
#endif

/* All four outputs of each of the four channels. */
static void tn_winograd_tile(const int32_t *sums, const int32_t *constants, int8_t *out, uint32_t step)
{
#if TN_DSP
    const uint32_t third = TN_THIRD;
    for (uint32_t i = TN_FOUR; i; i--, sums += TN_TILES, constants += TN_CONSTANTS, out++) {
        const int32_t bias = constants[TN_BIAS], multiplier = constants[TN_MULTIPLIER];
        const int32_t rounding = constants[TN_ROUNDING], shift = constants[TN_SHIFT];
        uint32_t a, b, c, d, e;
        __asm__ volatile("ldr    %[b], [%[sums], #32]          \n"
                         "ldr    %[c], [%[sums], #64]          \n"
                         "ldr    %[d], [%[sums], #96]          \n"
                         "ldr    %[e], [%[sums], #128]         \n"
                         "add    %[a], %[b], %[c]              \n"
                         "sub    %[b], %[b], %[c]              \n"
                         "add    %[c], %[d], %[e]              \n"
                         "sub    %[d], %[d], %[e]              \n"
                         "ldr    %[e], [%[sums]]               \n"
                         "add    %[e], %[e], %[a]              \n"
                         "add    %[a], %[a], %[c], lsl #2      \n"
                         "add    %[c], %[c], %[e]              \n"
                         TN_OUTPUT("c", "%[out]")
                         TN_OUTPUT("a", "%[out], %[step], lsl #1")
                         "ldr    %[c], [%[sums], #160]         \n"
                         "add    %[a], %[b], %[d], lsl #1      \n"
                         "add    %[b], %[b], %[d], lsl #3      \n"
                         "add    %[d], %[out], %[step]         \n"
                         "add    %[b], %[b], %[c]              \n"
                         TN_OUTPUT("a", "%[d]")
                         TN_OUTPUT("b", "%[d], %[step], lsl #1")
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e)
                         : [sums] "r"(sums), [out] "r"(out), [step] "r"(step), [third] "r"(third), [bias] "r"(bias),
                           [multiplier] "r"(multiplier), [rounding] "r"(rounding), [shift] "r"(shift)
                         : "memory");
    }
#else
    for (uint32_t i = 0; i < TN_FOUR; i++) {
        tn_winograd_outputs(sums + i * TN_TILES, constants + i * TN_CONSTANTS, TN_TILE, out + i, step);
    }
#endif
}

/* The outputs of both tiles and four channels; `left` columns are left of the row. */
static void tn_winograd_channels(const int32_t *sums, const int32_t *constants, uint32_t left, int8_t *out, uint32_t step)
{
    for (uint32_t tile = 0; tile < TN_TILES && left; tile++, sums++, out += TN_TILE * step) {
        if (left >= TN_TILE) {
            tn_winograd_tile(sums, constants, out, step);
            left -= TN_TILE;
            continue;
        }
        for (uint32_t i = 0; i < TN_FOUR; i++) {
            tn_winograd_outputs(sums + i * TN_TILES, constants + i * TN_CONSTANTS, left, out + i, step);
        }
        left = 0;
    }
}

void tn_convolve_winograd(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    const tn_target target = tn_target_of(op, arena, step);
    const uint32_t channels = target.channels, columns = patch.layer->columns;
    const uint32_t steps = TN_KERNEL * patch.channels / 2;
    tn_winograd working;
    working.values = (uint32_t *)(void *)(arena + op->scratch);
    working.sums = (int32_t *)(void *)(working.values + TN_VALUES * steps * TN_TILES);
    working.columns = (int8_t *)(working.sums + TN_VALUES * TN_SUMS);
    for (uint32_t column = 0; column < columns; column += TN_TILES * TN_TILE) {
        const int16_t *weights = patch.layer->weights;
        const int32_t *constants = patch.layer->constants;
        int8_t *out = target.row + column * channels;
        tn_transform_tiles(&patch, column, &working);
        for (uint32_t i = channels / TN_FOUR; i; i--, constants += TN_FOUR * TN_CONSTANTS, out += TN_FOUR) {
            weights = tn_winograd_sums(weights, working.values, steps, working.sums);
            tn_winograd_channels(working.sums, constants, columns - column, out, channels);
        }
    }
    tn_finish_row(op, &target);
}
