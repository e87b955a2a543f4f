/* 3 x 3 convolutions of stride 1 by Winograd's F(2x4, 3x3), in exact integers: 24 products for two by four outputs, where there
 * were 72.
 *
 * A tile of four rows by six columns of the input, d, becomes as many values, D d B'; of a kernel g stand the 24 factors
 * H g G' in flash, times 48 so that they are whole. Their products, summed over the input channels, are 24 sums m, of which
 * C m A' is 48 times the outputs of two rows by four columns:
 *
 *     G  6  0  0     B  4  0 -5  0  1  0     A  1  1  1  1  1  0          H  2  0  0     D  1  0 -1  0     C  1  1  1  0
 *       -4 -4 -4        0 -4 -4  1  1  0        0  1 -1  2 -2  0             1  1  1        0  1  1  0        0  1 -1 -1
 *       -4  4 -4        0  4 -4 -1  1  0        0  1  1  4  4  0             1 -1  1        0 -1  1  0
 *        1  2  4        0 -2 -1  2  1  0        0  1 -1  8 -8  1             0  0  2        0  1  0 -1
 *        1 -2  4        0  2 -1 -2  1  0
 *        0  0 24        0  4  0 -5  0  1
 *
 * Sums may wrap around in 32 bits as long as 48 times an output does not: then what is left of the division by 16, that by 3,
 * is a product with the inverse of 3. Two tiles (8 columns) by four output channels are made at a time, of channels rounded
 * up to a multiple of four, which is depth. Of few channels the values of more tiles are held, so that weights are fetched
 * from flash less often:
 *
 *     values   [6 columns][4 rows][depth / 2] words of two tiles     a word is two channels, in SXTB16's order 0 2 1 3
 *     weights  [outputs / 4][6][4][depth / 2] words of four output channels, likewise; 0 for those there are not
 *     sums     [6][4][4 output channels][2 tiles], each with all before it in it: none begins at 0, and C needs less
 *
 * The inner loop is 11 instructions for 16 products of two channels, which stand for 48 of the convolution; around it are 16
 * for eight sums, 220 for a word of all 24 values (winograd_values.c), and 141 for eight outputs.
 */
#include "tn_winograd.h"

/* Columns of a pair of tiles. The values held are of one pair, or of as many as take no more than those of so many channels. */
enum { TN_WIDTH = TN_TILES * TN_TILE, TN_HELD = 32 };

/* The inverse of 3 in 32 bits. */
#define TN_THIRD 0xaaaaaaabu

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
#define TN_FOUR_STEPS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS TN_STEP_SUMS
/* Bytes of a step, and steps of a round. */
enum { TN_SUMS_BYTES = 11 * 4, TN_ROUND = 8 };
#endif

/* All sums of two tiles and four output channels, of `steps` words each. Returns the next weights. */
TN_NOINLINE static const int16_t *tn_winograd_sums(const int16_t *weights, const uint32_t *values, uint32_t steps,
                                                   int32_t *sums)
{
#if TN_DSP
    const uint32_t entry = tn_entry(steps, TN_ROUND, TN_SUMS_BYTES), bytes = steps * TN_TILES * 4;
    const uint32_t *end = values + steps * TN_TILES, *const last = values + TN_ALONG * TN_DOWN * steps * TN_TILES;
    int32_t s0, s1, s2, s3, s4, s5, s6, s7;
    uint32_t a, b, c, d, enter;
    __asm__ volatile("adr.w  %[a], 2f             \n"
                     "ldr    %[b], %[entry]       \n"
                     "add    %[a], %[a], %[b]     \n"
                     "str    %[a], %[enter]       \n"
                     "movs   %[s0], #0            \n"
                     "movs   %[s1], #0            \n"
                     "movs   %[s2], #0            \n"
                     "movs   %[s3], #0            \n"
                     "movs   %[s4], #0            \n"
                     "movs   %[s5], #0            \n"
                     "movs   %[s6], #0            \n"
                     "movs   %[s7], #0            \n"
                     "1:                          \n"
                     "ldr.w  pc, %[enter]         \n"
                     ".p2align 2                  \n"
                     "2:                          \n"
                     TN_FOUR_STEPS TN_FOUR_STEPS
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
    uint32_t made[TN_SUMS] = {0}; /* may wrap around, as SMLAD does */
    for (uint32_t value = 0; value < TN_ALONG * TN_DOWN; value++, sums += TN_SUMS) {
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

/* Where the outputs of two tiles go: those of the second row are `below` bytes behind the first's, if that is not 0, and those
 * of a column `step` behind the column's before. */
typedef struct {
    int8_t *first;
    int32_t below;
    uint32_t step;
} tn_winograd_target;

/* An output of 48 times its sum without bias. */
TN_INLINE int8_t tn_winograd_output(uint32_t sum, const int32_t *constants)
{
    const int32_t x = (int32_t)((uint32_t)((int32_t)sum >> 3) * TN_THIRD + (uint32_t)constants[TN_BIAS]);
    const int32_t high = tn_high_plus(x, constants[TN_MULTIPLIER], constants[TN_ROUNDING]);
    return tn_saturate((high + (x >> 31)) >> constants[TN_SHIFT]);
}

/* The first `count` (1 to 4) columns of outputs of one channel in one tile, the first of which goes to `out`. */
TN_NOINLINE static void tn_winograd_outputs(const int32_t *sums, const int32_t *constants, uint32_t count, int8_t *out,
                                            const tn_winograd_target *target)
{
    for (uint32_t row = 0; row < (target->below ? TN_TILE_ROWS : 1); row++, out += target->below) {
        uint32_t m[TN_ALONG], before = 0;
        for (uint32_t i = 0; i < TN_ALONG; i++) { /* C, of sums with all before them in them */
            const int32_t *const column = sums + i * TN_DOWN * TN_SUMS;
            const uint32_t z0 = (uint32_t)column[0], z1 = (uint32_t)column[TN_SUMS];
            const uint32_t z2 = (uint32_t)column[2 * TN_SUMS], z3 = (uint32_t)column[3 * TN_SUMS];
            m[i] = row ? 2 * z1 - z0 - z3 : z2 - before;
            before = z3;
        }
        const uint32_t made[TN_TILE] = {m[0] + m[1] + m[2] + m[3] + m[4], m[1] - m[2] + 2 * (m[3] - m[4]),
                                        m[1] + m[2] + 4 * (m[3] + m[4]), m[1] - m[2] + 8 * (m[3] - m[4]) + m[5]};
        for (uint32_t i = 0; i < count; i++) {
            out[i * target->step] = tn_winograd_output(made[i], constants);
        }
    }
}

#if TN_DSP
/* Column i of C m, of the first row and of the second: x = z2 - z3 of the column before, x = 2 z1 - z0 - z3. A column of sums
 * is 128 bytes behind the one before, those of a column 32. */
#define TN_UPPER_FIRST "ldr %[c], [%[sums], #64] \n"
#define TN_UPPER(x, t, i)                                \
    "ldr    %[" x "], [%[sums], #128 * " i " + 64]   \n" \
    "ldr    %[" t "], [%[sums], #128 * " i " - 32]   \n" \
    "sub    %[" x "], %[" x "], %[" t "]             \n"
#define TN_LOWER_FIRST TN_LOWER("c", "f", "0")
#define TN_LOWER(x, t, i)                                \
    "ldr    %[" x "], [%[sums], #128 * " i " + 32]   \n" \
    "ldr    %[" t "], [%[sums], #128 * " i "]        \n" \
    "rsb    %[" x "], %[" t "], %[" x "], lsl #1     \n" \
    "ldr    %[" t "], [%[sums], #128 * " i " + 96]   \n" \
    "sub    %[" x "], %[" x "], %[" t "]             \n"

/* Outputs of sums x and y by way of t and f. */
#define TN_OUTPUTS(x, to_x, y, to_y, t)                            \
    "asr    %[" x "], %[" x "], #3                             \n" \
    "asr    %[" y "], %[" y "], #3                             \n" \
    "mla    %[" x "], %[" x "], %[third], %[bias]              \n" \
    "mla    %[" y "], %[" y "], %[third], %[bias]              \n" \
    "smmlar %[" t "], %[" x "], %[multiplier], %[rounding]     \n" \
    "smmlar %[f], %[" y "], %[multiplier], %[rounding]         \n" \
    "add    %[" t "], %[" t "], %[" x "], asr #31              \n" \
    "add    %[f], %[f], %[" y "], asr #31                      \n" \
    "asr    %[" t "], %[" t "], %[shift]                       \n" \
    "asr    %[f], %[f], %[shift]                               \n" \
    "ssat   %[" t "], #8, %[" t "]                             \n" \
    "strb   %[" t "], [" to_x "]                               \n" \
    "ssat   %[f], #8, %[f]                                     \n" \
    "strb   %[f], [" to_y "]                                   \n"

/* A row of a tile: A of the columns of C m. */
#define TN_TILE_ROW(first, column)                                 \
    column("b", "e", "1") column("c", "f", "2")                    \
    "add    %[a], %[b], %[c]                                   \n" \
    "sub    %[b], %[b], %[c]                                   \n" \
    column("d", "f", "3") column("e", "f", "4")                    \
    "add    %[f], %[d], %[e]                                   \n" \
    "sub    %[d], %[d], %[e]                                   \n" \
    "add    %[e], %[a], %[f], lsl #2                           \n" \
    "add    %[a], %[a], %[f]                                   \n" \
    first                                                          \
    "add    %[c], %[c], %[a]                                   \n" \
    TN_OUTPUTS("c", "%[out]", "e", "%[out], %[step], lsl #1", "a") \
    column("c", "e", "5")                                          \
    "add    %[a], %[b], %[d], lsl #1                           \n" \
    "add    %[b], %[b], %[d], lsl #3                           \n" \
    "add    %[d], %[out], %[step]                              \n" \
    "add    %[b], %[b], %[c]                                   \n" \
    TN_OUTPUTS("a", "%[d]", "b", "%[d], %[step], lsl #1", "e")
#endif

/* `channels` (1 to 4) output channels in the first `tiles` (1 or 2) tiles, which are whole. */
static void tn_winograd_tiles(const int32_t *sums, const int32_t *constants, uint32_t channels, uint32_t tiles,
                              const tn_winograd_target *target)
{
    const int32_t step = (int32_t)target->step, next = TN_TILE * step;
    int8_t *out = target->first;
#if TN_DSP
    const int32_t *const last = sums + channels * TN_TILES, *end;
    const int32_t lanes = 4 * (int32_t)tiles, skipped = 4 * TN_TILES - lanes;
    const int32_t below = target->below, on = next - below, back = 1 - (int32_t)tiles * next;
    int32_t bias, multiplier, rounding, shift, a, b, c, d, e, f;
    __asm__ volatile("1:                                       \n"
                     "ldr    %[a], %[constants]                \n"
                     "ldr    %[b], %[lanes]                    \n"
                     "ldrd   %[bias], %[multiplier], [%[a]], #8 \n"
                     "add    %[b], %[b], %[sums]               \n"
                     "ldrd   %[rounding], %[shift], [%[a]], #8 \n"
                     "str    %[b], %[end]                      \n"
                     "str    %[a], %[constants]                \n"
                     "2:                                       \n"
                     TN_TILE_ROW(TN_UPPER_FIRST, TN_UPPER)
                     "ldr    %[a], %[below]                    \n"
                     "cmp    %[a], #0                          \n"
                     "beq    3f                                \n"
                     "add    %[out], %[out], %[a]              \n"
                     TN_TILE_ROW(TN_LOWER_FIRST, TN_LOWER)
                     "3:                                       \n"
                     "ldr    %[a], %[on]                       \n"
                     "ldr    %[b], %[end]                      \n"
                     "add    %[sums], %[sums], #4              \n"
                     "add    %[out], %[out], %[a]              \n"
                     "cmp    %[sums], %[b]                     \n"
                     "bne    2b                                \n"
                     "ldr    %[c], %[skipped]                  \n"
                     "ldr    %[a], %[last]                     \n"
                     "add    %[sums], %[sums], %[c]            \n"
                     "ldr    %[b], %[back]                     \n"
                     "add    %[out], %[out], %[b]              \n"
                     "cmp    %[sums], %[a]                     \n"
                     "bne    1b                                \n"
                     : [sums] "+&r"(sums), [out] "+&r"(out), [bias] "=&r"(bias), [multiplier] "=&r"(multiplier),
                       [rounding] "=&r"(rounding), [shift] "=&r"(shift), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
                       [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [constants] "+m"(constants), [end] "=&m"(end)
                     : [step] "r"(step), [third] "r"(TN_THIRD), [lanes] "m"(lanes), [skipped] "m"(skipped),
                       [below] "m"(below), [on] "m"(on), [back] "m"(back), [last] "m"(last)
                     : "memory", "cc");
#else
    for (uint32_t i = 0; i < channels; i++, constants += TN_CONSTANTS, out++) {
        for (uint32_t tile = 0; tile < tiles; tile++) {
            tn_winograd_outputs(sums + i * TN_TILES + tile, constants, TN_TILE, out + (int32_t)tile * next, target);
        }
    }
#endif
}

/* The same of any tiles, of which `left` columns are left of the row. */
static void tn_winograd_channels(const int32_t *sums, const int32_t *constants, uint32_t channels, uint32_t left,
                                 const tn_winograd_target *target)
{
    const uint32_t tiles = left / TN_TILE, rest = left % TN_TILE;
    if (tiles) {
        tn_winograd_tiles(sums, constants, channels, tiles, target);
    }
    for (uint32_t i = 0; rest && i < channels; i++, constants += TN_CONSTANTS) {
        tn_winograd_outputs(sums + i * TN_TILES + tiles, constants, rest, target->first + i + tiles * TN_TILE * target->step,
                            target);
    }
}

void tn_convolve_winograd(const tn_op *op, int8_t *arena, int step)
{
    const tn_patch patch = tn_patch_at(op, arena, step);
    const int upper = TN_TILE_ROWS * step, two = upper + 1 < op->output->rows;
    const tn_target first = tn_target_of(op, arena, upper), second = tn_target_of(op, arena, upper + two);
    const uint32_t channels = first.channels, columns = patch.layer->columns, depth = patch.layer->depth;
    const uint32_t pair = TN_ALONG * TN_DOWN * TN_TILES * depth / 2;
    const uint32_t held = TN_WIDTH * (depth < TN_HELD ? TN_HELD / depth : 1);
    tn_winograd_target target = {first.row, (int32_t)(second.row - first.row), channels};
    int32_t *const sums = (int32_t *)(void *)(arena + op->scratch);
    int8_t *const padded = (int8_t *)(sums + TN_ALONG * TN_DOWN * TN_SUMS);
    uint32_t *const values = (uint32_t *)(void *)(padded + TN_ALONG * depth);
    for (uint32_t column = 0; column < columns; column += held) {
        const uint32_t end = tn_min(column + held, columns);
        const int16_t *weights = patch.layer->weights;
        const int32_t *constants = patch.layer->constants;
        uint32_t *of_pair = values;
        for (uint32_t x = column; x < end; x += TN_WIDTH, of_pair += pair) {
            tn_transform_tiles(&patch, x, padded, of_pair);
        }
        for (uint32_t channel = 0; channel < channels; channel += TN_FOUR, constants += TN_FOUR * TN_CONSTANTS) {
            const int16_t *behind = weights;
            target.first = first.row + column * channels + channel;
            of_pair = values;
            for (uint32_t x = column; x < end; x += TN_WIDTH, of_pair += pair, target.first += TN_WIDTH * channels) {
                behind = tn_winograd_sums(weights, of_pair, depth / 2, sums);
                tn_winograd_channels(sums, constants, tn_min(channels - channel, TN_FOUR), tn_min(columns - x, TN_WIDTH), &target);
            }
            weights = behind;
        }
    }
    tn_finish_row(op, &first);
    if (target.below) {
        tn_finish_row(op, &second);
    }
}
