/* Depthwise convolutions of planes (tn_planes.h), of kernels of 5 and 7 columns. Instructions of the inner loops:
 *
 *     of a row of the window     four outputs     two     one     (two or one where so many are left of a row)
 *     5 columns (stride 2)       18 (19)          14      11
 *     7 columns (stride 2)       24 (25)          17 (18) 13
 *     all rows, besides          37               19      15      and 2 for each round of four rows of four outputs
 *
 * and 20 around all of a channel.
 */
#include "tn_planes.h"

#if !TN_DSP
void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}
#else
/* What the assembly keeps in memory, for want of registers: a line is what it moves at once. */
typedef struct {
    const int16_t *weights, *const *rows; /* of a channel's first row inside the map; those rows, then 0 */
    const int32_t *constants; /* of the next channel */
    int32_t bias, same;
    int32_t multiplier, rounding;
    int32_t shift;
    uint32_t step; /* bytes from an output to the one after it */
    int8_t *out;
    const int8_t *end; /* where the last four outputs of a channel go; one less where they are but three */
    uint32_t depth;    /* bytes from a channel's weights to the next one's */
    int32_t to_next;   /* from the end of a channel's row to the next channel's, bytes */
    int32_t to_out;
    const int8_t *last;    /* behind the last channel's first output */
    uint32_t enter, rest;  /* the row that a four begins with, and what is left: bytes, then addresses */
    uint32_t first, after; /* what a channel begins with, what follows its fours: whether not the usual, then addresses */
} tn_fours;

/* A row of four outputs r4 .. r7: its words are a b c d (e). Every instruction of rows is four bytes long, so that one is
 * found by a number of bytes. */
#define TN_ROW_5(test)                       \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "ldrd   %[a], %[b], [%[c]]           \n" \
    "ldrd   %[c], %[d], [%[c], #8]       \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlatb r5, %[a], %[u], r5           \n" \
    "smlad  r6, %[b], %[u], r6           \n" \
    "smlatb r7, %[b], %[u], r7           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r6, %[c], %[v], r6           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "smlad  r7, %[c], %[u], r7           \n" \
    "smlabt r4, %[c], %[v], r4           \n" \
    "smlad  r5, %[c], %[v], r5           \n" \
    "ldr.w  %[c], [%[r]], #4             \n" \
    test \
    "smlabt r6, %[d], %[v], r6           \n" \
    "add.w  %[c], %[c], %[at]            \n" \
    "smlad  r7, %[d], %[v], r7           \n"
#define TN_ROW_7(test)                       \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "ldrd   %[a], %[b], [%[c]]           \n" \
    "ldr.w  %[e], [%[c], #16]            \n" \
    "ldrd   %[c], %[d], [%[c], #8]       \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlatb r5, %[a], %[u], r5           \n" \
    "smlad  r6, %[b], %[u], r6           \n" \
    "smlatb r7, %[b], %[u], r7           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r6, %[c], %[v], r6           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r4, %[c], %[u], r4           \n" \
    "smlad  r6, %[d], %[u], r6           \n" \
    "smlad  r5, %[b], %[v], r5           \n" \
    "smlad  r7, %[c], %[v], r7           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r5, %[c], %[u], r5           \n" \
    "ldr.w  %[c], [%[r]], #4             \n" \
    test \
    "smlad  r7, %[d], %[u], r7           \n" \
    "smlabt r4, %[d], %[v], r4           \n" \
    "smlad  r5, %[d], %[v], r5           \n" \
    "smlabt r6, %[e], %[v], r6           \n" \
    "add.w  %[c], %[c], %[at]            \n" \
    "smlad  r7, %[e], %[v], r7           \n"
/* The same with stride 2: six and seven words, of which c walks through the row. */
#define TN_ROW_5_2(test)                     \
    "ldr.w  %[d], [%[w], #12]            \n" \
    "ldrd   %[u], %[v], [%[w]], #16      \n" \
    "ldrd   %[a], %[b], [%[c]], #8       \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "ldrd   %[a], %[b], [%[c]], #8       \n" \
    "smlabt r4, %[a], %[d], r4           \n" \
    "smlad  r5, %[a], %[v], r5           \n" \
    "smlad  r6, %[a], %[u], r6           \n" \
    "smlabt r5, %[b], %[d], r5           \n" \
    "smlad  r6, %[b], %[v], r6           \n" \
    "smlad  r7, %[b], %[u], r7           \n" \
    "ldrd   %[a], %[b], [%[c]]           \n" \
    "ldr.w  %[c], [%[r]], #4             \n" \
    test \
    "smlabt r6, %[a], %[d], r6           \n" \
    "smlad  r7, %[a], %[v], r7           \n" \
    "add.w  %[c], %[c], %[at]            \n" \
    "smlabt r7, %[b], %[d], r7           \n"
#define TN_ROW_7_2(test)                     \
    "ldr.w  %[e], [%[w], #20]            \n" \
    "ldr.w  %[d], [%[w], #8]             \n" \
    "ldrd   %[u], %[v], [%[w]], #24      \n" \
    "ldrd   %[a], %[b], [%[c]], #8       \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "ldrd   %[a], %[b], [%[c]], #8       \n" \
    "smlad  r4, %[a], %[d], r4           \n" \
    "smlad  r5, %[a], %[v], r5           \n" \
    "smlad  r6, %[a], %[u], r6           \n" \
    "smlabt r4, %[b], %[e], r4           \n" \
    "smlad  r5, %[b], %[d], r5           \n" \
    "smlad  r6, %[b], %[v], r6           \n" \
    "smlad  r7, %[b], %[u], r7           \n" \
    "ldrd   %[a], %[b], [%[c]], #8       \n" \
    "smlabt r5, %[a], %[e], r5           \n" \
    "smlad  r6, %[a], %[d], r6           \n" \
    "smlad  r7, %[a], %[v], r7           \n" \
    "ldr.w  %[a], [%[c]]                 \n" \
    "ldr.w  %[c], [%[r]], #4             \n" \
    test \
    "smlabt r6, %[b], %[e], r6           \n" \
    "smlad  r7, %[b], %[d], r7           \n" \
    "add.w  %[c], %[c], %[at]            \n" \
    "smlabt r7, %[a], %[e], r7           \n"

/* A row of two outputs r4, r5. */
#define TN_TWO_5                             \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldr.w  %[c], [%[e], #8]             \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlatb r5, %[a], %[u], r5           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlabt r4, %[c], %[v], r4           \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlad  r5, %[c], %[v], r5           \n"
#define TN_TWO_7                             \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldrd   %[c], %[d], [%[e], #8]       \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlatb r5, %[a], %[u], r5           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r4, %[c], %[u], r4           \n" \
    "smlad  r5, %[b], %[v], r5           \n" \
    "ldrd   %[u], %[v], [%[w]], #8       \n" \
    "smlad  r5, %[c], %[u], r5           \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlabt r4, %[d], %[v], r4           \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlad  r5, %[d], %[v], r5           \n"
#define TN_TWO_5_2                           \
    "ldr.w  r6, [%[w], #12]              \n" \
    "ldrd   %[u], %[v], [%[w]], #16      \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldrd   %[c], %[d], [%[e], #8]       \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r5, %[c], %[v], r5           \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlabt r4, %[c], r6, r4             \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlabt r5, %[d], r6, r5             \n"
#define TN_TWO_7_2                           \
    "ldr.w  r6, [%[w], #8]               \n" \
    "ldr.w  r7, [%[w], #20]              \n" \
    "ldrd   %[u], %[v], [%[w]], #24      \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldrd   %[c], %[d], [%[e], #8]       \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlad  r5, %[b], %[u], r5           \n" \
    "ldr.w  %[u], [%[e], #16]            \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "smlad  r5, %[c], %[v], r5           \n" \
    "smlad  r4, %[c], r6, r4             \n" \
    "smlad  r5, %[d], r6, r5             \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlabt r4, %[d], r7, r4             \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlabt r5, %[u], r7, r5             \n"
/* A row of one output r4, of either stride. */
#define TN_ONE_5                             \
    "ldr.w  r6, [%[w], #12]              \n" \
    "ldrd   %[u], %[v], [%[w]], #16      \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldr.w  %[c], [%[e], #8]             \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlabt r4, %[c], r6, r4             \n"
#define TN_ONE_7                             \
    "ldr.w  r6, [%[w], #8]               \n" \
    "ldr.w  r7, [%[w], #20]              \n" \
    "ldrd   %[u], %[v], [%[w]], #24      \n" \
    "ldrd   %[a], %[b], [%[e]]           \n" \
    "ldrd   %[c], %[d], [%[e], #8]       \n" \
    "ldr.w  %[e], [%[r]], #4             \n" \
    "smlad  r4, %[a], %[u], r4           \n" \
    "smlad  r4, %[b], %[v], r4           \n" \
    "cmp.w  %[e], #0                     \n" \
    "smlad  r4, %[c], r6, r4             \n" \
    "add.w  %[e], %[e], %[at]            \n" \
    "smlabt r4, %[d], r7, r4             \n"

/* Two outputs s, t from twice their sums with the bias. */
#define TN_FINISH_TWO(s, t)                  \
    "smmlar %[d], " s ", %[a], %[b]          \n" \
    "smmlar %[w], " t ", %[a], %[b]          \n" \
    "add    %[d], %[d], " s ", asr #31       \n" \
    "add    %[w], %[w], " t ", asr #31       \n" \
    "asr    " s ", %[d], %[c]                \n" \
    "asr    " t ", %[w], %[c]                \n" \
    "ssat   " s ", #8, " s "                     \n" \
    "ssat   " t ", #8, " t "                     \n"

/* All rows of four outputs: four at a time, the first one anywhere among them; the fourth asks whether there are more. */
#define TN_IS_ROW "cmp.w  %[c], #0                     \n"
#define TN_ROUND(row, label, advance)        \
    label ":\n" row() row() row() row(TN_IS_ROW) \
    "bne.w  " label "b                       \n" \
    "add.w  %[at], %[at], #" advance "       \n" \
    "b.w    4f                           \n"

/* All rows of what is left. */
#define TN_REST(row, label, finish)          \
    label ":\n" row \
    "bne.w  " label "b                       \n" \
    "b.w    " finish "                       \n"

/* All channels, their outputs by fours: the last of these may be but three, and one or two may be left. */
#define TN_CHANNELS                          \
    "adr.w  %[c], 2f                     \n" \
    "adr.w  %[d], 3f                     \n" \
    "ldrd   %[a], %[b], %[enter]         \n" \
    "add    %[a], %[a], %[c]             \n" \
    "add    %[b], %[b], %[d]             \n" \
    "strd   %[a], %[b], %[enter]         \n" \
    "adr.w  %[a], 1f + 1                 \n" \
    "adr.w  %[b], 5f + 1                 \n" \
    "adr.w  %[c], 6f + 1                 \n" \
    "ldrd   %[d], %[e], %[first]         \n" \
    "cmp    %[d], #0                     \n" \
    "it     ne                           \n" \
    "movne  %[a], %[b]                   \n" \
    "cmp    %[e], #0                     \n" \
    "it     ne                           \n" \
    "movne  %[b], %[c]                   \n" \
    "strd   %[a], %[b], %[first]         \n" \
    "0:                                  \n" \
    "ldr    %[a], %[constants]           \n" \
    "ldm    %[a]!, {r4, r5, r6, r7}      \n" \
    "str    %[a], %[constants]           \n" \
    "strd   r4, r4, %[bias]              \n" \
    "strd   r5, r6, %[multiplier]        \n" \
    "str    r7, %[shift]                 \n" \
    "ldr.w  pc, %[first]                 \n" \
    "1:                                  \n" \
    "ldrd   r4, r5, %[bias]              \n" \
    "ldrd   r6, r7, %[bias]              \n" \
    "ldrd   %[w], %[r], %[weights]       \n" \
    "ldr    %[c], [%[r]], #4             \n" \
    "add    %[c], %[c], %[at]            \n" \
    "ldr.w  pc, %[enter]                 \n" \
    ".p2align 2                          \n" \
    "2:                                  \n" \
    TN_ROUND(TN_ROW_5_2, "21", "16") TN_ROUND(TN_ROW_7, "22", "8") \
    TN_ROUND(TN_ROW_7_2, "23", "16") TN_ROUND(TN_ROW_5, "24", "8") \
    "4:                                  \n" \
    "ldrd   %[a], %[b], %[multiplier]    \n" \
    "ldrd   %[c], %[v], %[shift]         \n" \
    "ldrd   %[e], %[u], %[out]           \n" \
    TN_FINISH_TWO("r4", "r5") TN_FINISH_TWO("r6", "r7") \
    "strb   r4, [%[e]]                   \n" \
    "strb   r5, [%[e], %[v]]             \n" \
    "add    %[d], %[e], %[v], lsl #1     \n" \
    "strb   r6, [%[d]]                   \n" \
    "cmp    %[e], %[u]                   \n" \
    "it     ls                           \n" \
    "strbls r7, [%[d], %[v]]             \n" \
    "add    %[e], %[d], %[v], lsl #1     \n" \
    "str    %[e], %[out]                 \n" \
    "blo    1b                           \n" \
    "ldr.w  pc, %[after]                 \n" \
    "5:                                  \n" \
    "ldrd   r4, r5, %[bias]              \n" \
    "ldrd   %[w], %[r], %[weights]       \n" \
    "ldr    %[e], [%[r]], #4             \n" \
    "add    %[e], %[e], %[at]            \n" \
    "ldr.w  pc, %[rest]                  \n" \
    "7:                                  \n" \
    "ldrd   %[a], %[b], %[multiplier]    \n" \
    "ldr    %[c], %[shift]               \n" \
    "ldr    %[e], %[out]                 \n" \
    "smmlar %[d], r4, %[a], %[b]         \n" \
    "add    %[d], %[d], r4, asr #31      \n" \
    "asr    r4, %[d], %[c]               \n" \
    "ssat   r4, #8, r4                   \n" \
    "strb   r4, [%[e]]                   \n" \
    "b      6f                           \n" \
    ".p2align 2                          \n" \
    "3:                                  \n" \
    TN_REST(TN_ONE_5, "31", "7b") TN_REST(TN_ONE_7, "32", "7b") \
    TN_REST(TN_TWO_5_2, "33", "8f") TN_REST(TN_TWO_7, "34", "8f") \
    TN_REST(TN_TWO_7_2, "35", "8f") TN_REST(TN_TWO_5, "36", "8f") \
    "8:                                  \n" \
    "ldrd   %[a], %[b], %[multiplier]    \n" \
    "ldrd   %[c], %[v], %[shift]         \n" \
    TN_FINISH_TWO("r4", "r5") \
    "ldr    %[e], %[out]                 \n" \
    "strb   r4, [%[e]]                   \n" \
    "strb   r5, [%[e], %[v]]             \n" \
    "6:                                  \n" \
    "ldrd   %[a], %[b], %[depth]         \n" \
    "ldr    %[w], %[weights]             \n" \
    "ldrd   %[c], %[d], %[to_out]        \n" \
    "ldrd   %[e], %[u], %[out]           \n" \
    "add    %[at], %[at], %[b]           \n" \
    "add    %[w], %[w], %[a]             \n" \
    "str    %[w], %[weights]             \n" \
    "add    %[e], %[e], %[c]             \n" \
    "add    %[u], %[u], #1               \n" \
    "strd   %[e], %[u], %[out]           \n" \
    "cmp    %[e], %[d]                   \n" \
    "bne    0b                           \n"

/* Instructions of the code above. */
enum { TN_ROUND_END = 4, TN_REST_END = 2 };

/* Where the rows of a kind are in it, in bytes: of four outputs from 2, and theirs; of one and of two from 3. */
typedef struct {
    uint16_t fours, row, one, two;
} tn_places;

#define TN_FOUR(row) (4 * (4 * (row) + TN_ROUND_END))
#define TN_LEFT(row) (4 * ((row) + TN_REST_END))
static const tn_places tn_places_of[2][2] = { /* 5 and 7 columns, stride 1 and 2 */
    {{TN_FOUR(19) + TN_FOUR(24) + TN_FOUR(25), 4 * 18, 0,
      TN_LEFT(10) + TN_LEFT(12) + TN_LEFT(13) + TN_LEFT(16) + TN_LEFT(17)},
     {0, 4 * 19, 0, TN_LEFT(10) + TN_LEFT(12)}},
    {{TN_FOUR(19), 4 * 24, TN_LEFT(10), TN_LEFT(10) + TN_LEFT(12) + TN_LEFT(13)},
     {TN_FOUR(19) + TN_FOUR(24), 4 * 25, TN_LEFT(10), TN_LEFT(10) + TN_LEFT(12) + TN_LEFT(13) + TN_LEFT(16)}},
};

void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    tn_planes planes;
    tn_planes_at(&planes, op, arena, step);
    const tn_places *const places = &tn_places_of[layer->kernel_columns == 7][layer->stride_columns - 1];
    const uint32_t channels = op->output->channels;
    const uint32_t groups = (layer->columns + 1) / 4, left = layer->columns % 4;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    uint32_t at = 0, a, b, c, d, e, u, v, w, r;
    tn_fours fours;
    fours.weights = layer->weights + planes.above * 2u * (layer->kernel_columns - 1u);
    planes.rows[planes.inside] = 0;
    fours.rows = planes.rows;
    fours.constants = layer->constants;
    fours.step = channels;
    fours.out = row;
    fours.end = row + (int32_t)((groups - 1) * 4 * channels) - (left == 3);
    fours.depth = 2 * layer->depth;
    fours.to_next = (int32_t)(2 * planes.pitch) - (int32_t)(8 * layer->stride_columns * groups);
    fours.to_out = 1 - (int32_t)(4 * groups * channels);
    fours.last = row + channels;
    fours.enter = places->fours + tn_entry(planes.inside, 4, places->row);
    fours.rest = (left == 1 ? places->one : places->two) | 1u;
    fours.first = groups == 0;
    fours.after = left % 3 == 0;
    __asm__ volatile(TN_CHANNELS
                     : [at] "+r"(at), [w] "=&r"(w), [r] "=&r"(r), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d),
                       [e] "=&r"(e), [u] "=&r"(u), [v] "=&r"(v), [weights] "+m"(fours.weights),
                       [constants] "+m"(fours.constants), [bias] "=m"(fours.bias), [multiplier] "=m"(fours.multiplier),
                       [shift] "=m"(fours.shift), [out] "+m"(fours.out), [enter] "+m"(fours.enter),
                       [first] "+m"(fours.first)
                     : [depth] "m"(fours.depth), [to_out] "m"(fours.to_out),
                       [rest] "m"(fours.rest), [after] "m"(fours.after)
                     : "r4", "r5", "r6", "r7", "memory", "cc");
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}
#endif
