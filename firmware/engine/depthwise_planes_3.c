/* Depthwise convolutions of planes (tn_planes.h), of kernels of 3 x 3: 27 instructions (stride 2: 30) for two outputs and
 * their requantisation, 2 more for each four, 16 for a last one by itself, and 19 around all of a channel.
 *
 *     (a0 a1) (a2 a3)     of each of three rows: y = a0 w0 + a1 w1 + a2 w2, and to its right z = a1 w0 + a2 w1 + a3 w2;
 *     with stride 2       also (a4 a5), and z = a2 w0 + a3 w1 + a4 w2
 */
#include "tn_planes.h"

enum { TN_ROWS = 3 };

#if !TN_DSP
void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}
#else
/* Bytes of the code of a pair, and of two in a loop; those of stride 2 come first. */
enum { TN_PAIR = 27 * 4, TN_PAIR_2 = 30 * 4, TN_PAIRS = 2 * TN_PAIR + 3 * 4, TN_PAIRS_2 = 2 * TN_PAIR_2 + 4 * 4 };

/* What the assembly keeps in memory, for want of registers: a line is what it moves at once. */
typedef struct {
    const int16_t *weights;
    const int32_t *constants; /* of the next channel */
    const int8_t *end; /* where the last pair of a channel goes; one less where a single output follows it */
    int32_t bias;
    int32_t multiplier, rounding;
    int32_t shift;
    uint32_t step;               /* bytes from an output to the one after it */
    int32_t to_first, to_second; /* from the end of a channel's row to the next channel's, bytes */
    int32_t to_third, to_out;
    int32_t span;       /* from a channel's first output to `end` */
    const int8_t *last; /* behind the last channel's first output */
    uint32_t enter;     /* what a channel begins with: bytes from its loops, then its address */
} tn_triple;

/* A row of a pair: `w` is (w0 w1), `x` is (w1 w2). */
#define TN_LOAD_3(p) "ldrd   %[u], %[v], [%[" p "]], #4     \n"
#define TN_SUMS_3(w, x)                     \
    "smlad  %[y], %[u], " w ", %[y]     \n" \
    "smlatb %[z], %[u], " w ", %[z]     \n" \
    "smlabt %[y], %[v], " x ", %[y]     \n" \
    "smlad  %[z], %[v], " x ", %[z]     \n"
#define TN_FIRST_SUMS_3                     \
    "smlad  %[y], %[u], r4, %[z]        \n" \
    "smlatb %[z], %[u], r4, %[z]        \n" \
    "smlabt %[y], %[v], r5, %[y]        \n" \
    "smlad  %[z], %[v], r5, %[z]        \n"
/* The same with stride 2. */
#define TN_LOAD_3_2(p) "ldrd   %[u], %[v], [%[" p "]], #8     \n"
#define TN_SUMS_3_2(p, w, x)                \
    "smlad  %[y], %[u], " w ", %[y]     \n" \
    "ldr.w  %[u], [%[" p "]]            \n" \
    "smlabt %[y], %[v], " x ", %[y]     \n" \
    "smlad  %[z], %[v], " w ", %[z]     \n" \
    "smlabt %[z], %[u], " x ", %[z]     \n"
#define TN_FIRST_SUMS_3_2                   \
    "smlad  %[y], %[u], r4, %[z]        \n" \
    "ldr.w  %[u], [%[p]]                \n" \
    "smlabt %[y], %[v], r5, %[y]        \n" \
    "smlad  %[z], %[v], r4, %[z]        \n" \
    "smlabt %[z], %[u], r5, %[z]        \n"

/* A pair. The bias is loaded by `begin`, into z. */
#define TN_PAIR_3(begin)                                                                                              \
    TN_LOAD_3("p") begin TN_FIRST_SUMS_3 TN_LOAD_3("q") TN_SUMS_3("r6", "r7") TN_LOAD_3("r") TN_SUMS_3("r8", "r9")    \
        TN_WRITE_PAIR
#define TN_PAIR_3_2(begin)                                                                                            \
    TN_LOAD_3_2("p") begin TN_FIRST_SUMS_3_2 TN_LOAD_3_2("q") TN_SUMS_3_2("q", "r6", "r7") TN_LOAD_3_2("r")           \
        TN_SUMS_3_2("r", "r8", "r9") TN_WRITE_PAIR
#define TN_WRITE_PAIR                         \
    "ldrd   %[u], %[v], %[multiplier]     \n" \
    "smmlar %[y], %[y], %[u], %[v]        \n" \
    "smmlar %[z], %[z], %[u], %[v]        \n" \
    "ldrd   %[u], %[v], %[shift]          \n" \
    "asr.w  %[y], %[y], %[u]              \n" \
    "asr.w  %[z], %[z], %[u]              \n" \
    "ssat   %[y], #8, %[y]                \n" \
    "ssat   %[z], #8, %[z]                \n" \
    "strb.w %[y], [%[o]]                  \n" \
    "strb.w %[z], [%[o], %[v]]            \n" \
    "add.w  %[o], %[o], %[v], lsl #1      \n"

/* What a pair loads for its sums to begin with; of the second of two also the last one's place. */
#define TN_BEGIN "ldr.w  %[z], %[bias]               \n"
#define TN_BEGIN_LAST                       \
    "ldrd   %[y], %[z], %[end]          \n" \
    "cmp.w  %[o], %[y]                  \n"

/* All channels: r4 .. r9 are a channel's weights. Whether a pair is the last is asked before it: nothing in it sets flags.
 * Every instruction of the loops is four bytes long, so that `enter` can be a number of bytes. */
#define TN_CHANNELS_3                           \
    "adr.w  %[u], 2f                        \n" \
    "ldr    %[v], %[enter]                  \n" \
    "add    %[u], %[u], %[v]                \n" \
    "str    %[u], %[enter]                  \n" \
    "ldr    %[z], %[end]                    \n" \
    "1:                                     \n" \
    "ldrd   %[u], %[v], %[weights]          \n" \
    "ldm    %[v]!, {r4, r5, r6, r7}         \n" \
    "strd   %[z], r4, %[end]                \n" \
    "strd   r5, r6, %[multiplier]           \n" \
    "str    r7, %[shift]                    \n" \
    "ldm    %[u]!, {r4, r5, r6, r7, r8, r9} \n" \
    "strd   %[u], %[v], %[weights]          \n" \
    "ldr.w  pc, %[enter]                    \n" \
    ".p2align 2                             \n" \
    "2:                                     \n" \
    TN_PAIR_3_2(TN_BEGIN) TN_PAIR_3_2(TN_BEGIN_LAST) \
    "blo.w  2b                              \n" \
    "beq.w  5f                              \n" \
    "b.w    4f                              \n" \
    "3:                                     \n" \
    TN_PAIR_3(TN_BEGIN) TN_PAIR_3(TN_BEGIN_LAST) \
    "blo.w  3b                              \n" \
    "beq.w  5f                              \n" \
    /* a single output, with weights' registers where they are no longer wanted */ \
    "4:                                     \n" \
    "ldrd   %[u], %[v], [%[p]]              \n" \
    "ldr    %[y], %[bias]                   \n" \
    "smlad  %[y], %[u], r4, %[y]            \n" \
    "ldrd   %[u], r4, [%[q]]                \n" \
    "smlabt %[y], %[v], r5, %[y]            \n" \
    "ldrd   %[v], r5, [%[r]]                \n" \
    "smlad  %[y], %[u], r6, %[y]            \n" \
    "smlabt %[y], r4, r7, %[y]              \n" \
    "ldrd   r6, r7, %[multiplier]           \n" \
    "smlad  %[y], %[v], r8, %[y]            \n" \
    "smlabt %[y], r5, r9, %[y]              \n" \
    "ldr    %[u], %[shift]                  \n" \
    "smmlar %[y], %[y], r6, r7              \n" \
    "asr    %[y], %[y], %[u]                \n" \
    "ssat   %[y], #8, %[y]                  \n" \
    "strb   %[y], [%[o]]                    \n" \
    "5:                                     \n" \
    "ldrd   %[u], %[v], %[to_first]         \n" \
    "ldrd   r4, r5, %[to_third]             \n" \
    "ldrd   r6, r7, %[span]                 \n" \
    "add    %[p], %[p], %[u]                \n" \
    "add    %[q], %[q], %[v]                \n" \
    "add    %[r], %[r], r4                  \n" \
    "add    %[o], %[o], r5                  \n" \
    "add    %[z], %[o], r6                  \n" \
    "cmp    %[o], r7                        \n" \
    "bne    1b                              \n"

/* What a channel begins with: the first pair of two, the second where they are odd, its only output where there is none. The
 * last bit says Thumb. */
static uint32_t tn_enter(uint32_t pairs, uint32_t stride)
{
    if (pairs == 0) {
        return (TN_PAIRS_2 + TN_PAIRS) | 1;
    }
    return (stride == 1 ? TN_PAIRS_2 + pairs % 2 * TN_PAIR : pairs % 2 * TN_PAIR_2) | 1;
}

void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    tn_planes planes;
    tn_planes_at(&planes, op, arena, step);
    const uint32_t channels = op->output->channels, columns = layer->columns, pairs = columns / 2;
    const int32_t walked = (int32_t)(4 * layer->stride_columns * pairs), next = (int32_t)(2 * planes.pitch);
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    /* a row outside of the map is one of zeros, the same for every channel */
    int16_t *const zeros = (int16_t *)(void *)(arena + op->scratch);
    const int16_t *rows[TN_ROWS];
    int32_t to_next[TN_ROWS];
    for (uint32_t i = 0; i < TN_ROWS; i++) {
        const int there = i - planes.above < planes.inside;
        rows[i] = there ? planes.rows[i - planes.above] : memset(zeros, 0, 2 * planes.pitch);
        to_next[i] = (there ? next : 0) - walked;
    }
    const int16_t *p = rows[0], *q = rows[1], *r = rows[2];
    int8_t *out = row;
    uint32_t u, v;
    int32_t y, z;
    tn_triple triple;
    triple.weights = layer->weights;
    triple.constants = layer->constants;
    triple.bias = 0;
    triple.step = channels;
    triple.to_first = to_next[0];
    triple.to_second = to_next[1];
    triple.to_third = to_next[2];
    triple.to_out = 1 - (int32_t)(2 * pairs * channels);
    triple.span = (int32_t)((pairs - 1) * 2 * channels) - (int32_t)(columns % 2);
    triple.end = row + triple.span;
    triple.last = row + channels;
    triple.enter = tn_enter(pairs, layer->stride_columns);
    __asm__ volatile(TN_CHANNELS_3
                     : [p] "+r"(p), [q] "+r"(q), [r] "+r"(r), [o] "+r"(out), [u] "=&r"(u), [v] "=&r"(v), [y] "=&r"(y),
                       [z] "=&r"(z), [weights] "+m"(triple.weights), [end] "+m"(triple.end),
                       [multiplier] "=m"(triple.multiplier), [shift] "=m"(triple.shift), [enter] "+m"(triple.enter)
                     : [bias] "m"(triple.bias), [to_first] "m"(triple.to_first), [to_third] "m"(triple.to_third),
                       [span] "m"(triple.span)
                     : "r4", "r5", "r6", "r7", "r8", "r9", "memory", "cc");
    tn_clamp_row(row, columns * channels, layer->low, layer->high);
}
#endif
