/* Depthwise convolutions of planes (tn_planes.h), of kernels of 5 and 7 columns. Instructions of the inner loops: 5 columns 18
 * (stride 2: 19) and 7 columns 24 (25) for a row of four outputs, and 3 for each four rows or fewer; 15 (15) and 18 (19) for a
 * row of two or one, where so many are left. Around all rows of four outputs 34, of two 18, and 20 around all of a channel.
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
    const int16_t *weights, *const *rows; /* of a channel's first row inside the map; those rows */
    const int16_t *const *rows_end;
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
    const int8_t *last; /* behind the last channel's first output */
    uint32_t left;      /* outputs behind the fours: 0 to 2 */
    uint32_t enter;     /* the row that a four begins with: how far into the round in bytes, then its address */
    uint32_t first, after; /* where a channel begins and where it goes on behind its fours: addresses */
} tn_fours;

/* A row of four outputs r4 .. r7: its words are a b c d (e). Every instruction is four bytes long, see tn_entry. */
#define TN_ROW_5                          \
    "ldr.w  %[c], [%[r]], #4       \n" \
    "add.w  %[c], %[c], %[at]         \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "ldrd   %[a], %[b], [%[c]]        \n" \
    "ldrd   %[c], %[d], [%[c], #8]    \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlatb r5, %[a], %[u], r5        \n" \
    "smlad  r6, %[b], %[u], r6        \n" \
    "smlatb r7, %[b], %[u], r7        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r6, %[c], %[v], r6        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "smlad  r7, %[c], %[u], r7        \n" \
    "smlabt r4, %[c], %[v], r4        \n" \
    "smlad  r5, %[c], %[v], r5        \n" \
    "smlabt r6, %[d], %[v], r6        \n" \
    "smlad  r7, %[d], %[v], r7        \n"
#define TN_ROW_7                          \
    "ldr.w  %[e], [%[r]], #4       \n" \
    "add.w  %[e], %[e], %[at]         \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "ldrd   %[a], %[b], [%[e]]        \n" \
    "ldrd   %[c], %[d], [%[e], #8]    \n" \
    "ldr.w  %[e], [%[e], #16]         \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlatb r5, %[a], %[u], r5        \n" \
    "smlad  r6, %[b], %[u], r6        \n" \
    "smlatb r7, %[b], %[u], r7        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r6, %[c], %[v], r6        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r4, %[c], %[u], r4        \n" \
    "smlad  r6, %[d], %[u], r6        \n" \
    "smlad  r5, %[b], %[v], r5        \n" \
    "smlad  r7, %[c], %[v], r7        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r5, %[c], %[u], r5        \n" \
    "smlad  r7, %[d], %[u], r7        \n" \
    "smlabt r4, %[d], %[v], r4        \n" \
    "smlad  r5, %[d], %[v], r5        \n" \
    "smlabt r6, %[e], %[v], r6        \n" \
    "smlad  r7, %[e], %[v], r7        \n"
/* The same with stride 2: six and seven words, of which c walks through the row. */
#define TN_ROW_5_2                        \
    "ldr.w  %[c], [%[r]], #4       \n" \
    "add.w  %[c], %[c], %[at]         \n" \
    "ldr.w  %[d], [%[w], #12]         \n" \
    "ldrd   %[u], %[v], [%[w]], #16   \n" \
    "ldrd   %[a], %[b], [%[c]], #8    \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "ldrd   %[a], %[b], [%[c]], #8    \n" \
    "smlabt r4, %[a], %[d], r4        \n" \
    "smlad  r5, %[a], %[v], r5        \n" \
    "smlad  r6, %[a], %[u], r6        \n" \
    "smlabt r5, %[b], %[d], r5        \n" \
    "smlad  r6, %[b], %[v], r6        \n" \
    "smlad  r7, %[b], %[u], r7        \n" \
    "ldrd   %[a], %[b], [%[c]]        \n" \
    "smlabt r6, %[a], %[d], r6        \n" \
    "smlad  r7, %[a], %[v], r7        \n" \
    "smlabt r7, %[b], %[d], r7        \n"
#define TN_ROW_7_2                        \
    "ldr.w  %[c], [%[r]], #4       \n" \
    "add.w  %[c], %[c], %[at]         \n" \
    "ldr.w  %[e], [%[w], #20]         \n" \
    "ldr.w  %[d], [%[w], #8]          \n" \
    "ldrd   %[u], %[v], [%[w]], #24   \n" \
    "ldrd   %[a], %[b], [%[c]], #8    \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "ldrd   %[a], %[b], [%[c]], #8    \n" \
    "smlad  r4, %[a], %[d], r4        \n" \
    "smlad  r5, %[a], %[v], r5        \n" \
    "smlad  r6, %[a], %[u], r6        \n" \
    "smlabt r4, %[b], %[e], r4        \n" \
    "smlad  r5, %[b], %[d], r5        \n" \
    "smlad  r6, %[b], %[v], r6        \n" \
    "smlad  r7, %[b], %[u], r7        \n" \
    "ldrd   %[a], %[b], [%[c]], #8    \n" \
    "smlabt r5, %[a], %[e], r5        \n" \
    "smlad  r6, %[a], %[d], r6        \n" \
    "smlad  r7, %[a], %[v], r7        \n" \
    "ldr.w  %[a], [%[c]]              \n" \
    "smlabt r6, %[b], %[e], r6        \n" \
    "smlad  r7, %[b], %[d], r7        \n" \
    "smlabt r7, %[a], %[e], r7        \n"

/* A row of two outputs r4, r5. */
#define TN_TWO_5                          \
    "ldr    %[e], [%[r]], #4          \n" \
    "add    %[e], %[e], %[at]         \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "ldrd   %[a], %[b], [%[e]]        \n" \
    "ldr    %[c], [%[e], #8]          \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlatb r5, %[a], %[u], r5        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "smlabt r4, %[c], %[v], r4        \n" \
    "smlad  r5, %[c], %[v], r5        \n"
#define TN_TWO_7                          \
    "ldr    %[e], [%[r]], #4          \n" \
    "add    %[e], %[e], %[at]         \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "ldrd   %[a], %[b], [%[e]]        \n" \
    "ldrd   %[c], %[d], [%[e], #8]    \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlatb r5, %[a], %[u], r5        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r4, %[c], %[u], r4        \n" \
    "smlad  r5, %[b], %[v], r5        \n" \
    "ldrd   %[u], %[v], [%[w]], #8    \n" \
    "smlad  r5, %[c], %[u], r5        \n" \
    "smlabt r4, %[d], %[v], r4        \n" \
    "smlad  r5, %[d], %[v], r5        \n"
#define TN_TWO_5_2                        \
    "ldr    %[e], [%[r]], #4          \n" \
    "add    %[e], %[e], %[at]         \n" \
    "ldr    r6, [%[w], #12]           \n" \
    "ldrd   %[u], %[v], [%[w]], #16   \n" \
    "ldrd   %[a], %[b], [%[e]]        \n" \
    "ldrd   %[c], %[d], [%[e], #8]    \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r5, %[c], %[v], r5        \n" \
    "smlabt r4, %[c], r6, r4          \n" \
    "smlabt r5, %[d], r6, r5          \n"
#define TN_TWO_7_2                        \
    "ldr    %[e], [%[r]], #4          \n" \
    "add    %[e], %[e], %[at]         \n" \
    "ldr    r6, [%[w], #8]            \n" \
    "ldr    r7, [%[w], #20]           \n" \
    "ldrd   %[u], %[v], [%[w]], #24   \n" \
    "ldrd   %[a], %[b], [%[e]]        \n" \
    "ldrd   %[c], %[d], [%[e], #8]    \n" \
    "ldr    %[e], [%[e], #16]         \n" \
    "smlad  r4, %[a], %[u], r4        \n" \
    "smlad  r5, %[b], %[u], r5        \n" \
    "smlad  r4, %[b], %[v], r4        \n" \
    "smlad  r5, %[c], %[v], r5        \n" \
    "smlad  r4, %[c], r6, r4          \n" \
    "smlad  r5, %[d], r6, r5          \n" \
    "smlabt r4, %[d], r7, r4          \n" \
    "smlabt r5, %[e], r7, r5          \n"

/* Two outputs s, t from twice their sums with the bias. */
#define TN_FINISH_TWO(s, t)                           \
    "smmlar %[d], " s ", %[a], %[b]               \n" \
    "smmlar %[w], " t ", %[a], %[b]               \n" \
    "add    %[d], %[d], " s ", asr #31            \n" \
    "add    %[w], %[w], " t ", asr #31            \n" \
    "asr    " s ", %[d], %[c]                     \n" \
    "asr    " t ", %[w], %[c]                     \n" \
    "ssat   " s ", #8, " s "                      \n" \
    "ssat   " t ", #8, " t "                      \n"

/* All channels, their outputs by fours: the last of these may be but three, and one or two may be left. */
#define TN_CHANNELS(row, two, advance)        \
    "adr.w  %[a], 2f                     \n" \
    "ldr    %[b], %[enter]               \n" \
    "add    %[a], %[a], %[b]             \n" \
    "str    %[a], %[enter]               \n" \
    "adr.w  %[a], 1f + 1                 \n" \
    "adr.w  %[b], 5f + 1                 \n" \
    "ldr    %[c], %[left]                \n" \
    "cmp    %[c], #0                     \n" \
    "ite    eq                           \n" \
    "adreq.w %[d], 6f + 1                \n" \
    "movne  %[d], %[b]                   \n" \
    "ldr    %[e], %[first]               \n" \
    "cmp    %[e], #0                     \n" \
    "it     eq                           \n" \
    "moveq  %[a], %[b]                   \n" \
    "strd   %[a], %[d], %[first]         \n" \
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
    "ldr.w  pc, %[enter]                 \n" \
    ".p2align 2                          \n" \
    "2:                                  \n" \
    row row row row \
    "ldr    %[a], %[rows_end]            \n" \
    "cmp    %[r], %[a]                   \n" \
    "bne    2b                           \n" \
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
    "add    %[at], %[at], #" advance "     \n" \
    "blo    1b                           \n" \
    "ldr.w  pc, %[after]                 \n" \
    "5:                                  \n" \
    "ldrd   r4, r5, %[bias]              \n" \
    "ldrd   %[w], %[r], %[weights]       \n" \
    "3:                                  \n" \
    two \
    "ldr    %[a], %[rows_end]            \n" \
    "cmp    %[r], %[a]                   \n" \
    "bne    3b                           \n" \
    "ldrd   %[a], %[b], %[multiplier]    \n" \
    "ldrd   %[c], %[v], %[shift]         \n" \
    TN_FINISH_TWO("r4", "r5") \
    "ldr    %[e], %[out]                 \n" \
    "ldr    %[u], %[left]                \n" \
    "strb   r4, [%[e]]                   \n" \
    "cmp    %[u], #2                     \n" \
    "it     eq                           \n" \
    "strbeq r5, [%[e], %[v]]             \n" \
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

#define TN_FOURS(row, two, advance)                                                                                   \
    __asm__ volatile(TN_CHANNELS(row, two, advance)                                                                   \
                     : [at] "+r"(at), [w] "=&r"(w), [r] "=&r"(r), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),           \
                       [d] "=&r"(d), [e] "=&r"(e), [u] "=&r"(u), [v] "=&r"(v), [weights] "+m"(fours.weights),         \
                       [constants] "+m"(fours.constants), [bias] "=m"(fours.bias),                                    \
                       [multiplier] "=m"(fours.multiplier), [shift] "=m"(fours.shift), [out] "+m"(fours.out),         \
                       [enter] "+m"(fours.enter), [first] "+m"(fours.first), [after] "=m"(fours.after)                \
                     : [rows_end] "m"(fours.rows_end), [depth] "m"(fours.depth), [to_out] "m"(fours.to_out),          \
                       [left] "m"(fours.left)                                                                         \
                     : "r4", "r5", "r6", "r7", "memory", "cc")

void tn_depthwise_planes(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    tn_planes planes;
    tn_planes_at(&planes, op, arena, step);
    const uint32_t channels = op->output->channels, columns = layer->kernel_columns, stride = layer->stride_columns;
    const uint32_t groups = (layer->columns + 1) / 4, left = layer->columns % 4;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    uint32_t at = 0, a, b, c, d, e, u, v, w, r;
    tn_fours fours;
    fours.weights = layer->weights + planes.above * 2 * (columns - 1);
    fours.rows = planes.rows;
    fours.rows_end = planes.rows + planes.inside;
    fours.constants = layer->constants;
    fours.step = channels;
    fours.out = row;
    fours.end = row + (int32_t)((groups - 1) * 4 * channels) - (left == 3);
    fours.depth = 2 * layer->depth;
    fours.to_next = (int32_t)(2 * planes.pitch) - (int32_t)(8 * stride * groups);
    fours.to_out = 1 - (int32_t)(4 * groups * channels);
    fours.last = row + channels;
    fours.left = left % 3;
    fours.first = groups;
    if (columns == 5 && stride == 1) {
        fours.enter = tn_entry(planes.inside, 4, 18 * 4);
        TN_FOURS(TN_ROW_5, TN_TWO_5, "8");
    } else if (columns == 5) {
        fours.enter = tn_entry(planes.inside, 4, 19 * 4);
        TN_FOURS(TN_ROW_5_2, TN_TWO_5_2, "16");
    } else if (stride == 1) {
        fours.enter = tn_entry(planes.inside, 4, 24 * 4);
        TN_FOURS(TN_ROW_7, TN_TWO_7, "8");
    } else {
        fours.enter = tn_entry(planes.inside, 4, 25 * 4);
        TN_FOURS(TN_ROW_7_2, TN_TWO_7_2, "16");
    }
    tn_clamp_row(row, layer->columns * channels, layer->low, layer->high);
}
#endif
