/* Depthwise convolutions of planes (tn_planes.h), of kernels of 3 x 3: 33 instructions (stride 2: 36) for two outputs and
 * their requantisation, and 18 around all of a channel.
 */
#include "tn_planes.h"

enum { TN_ROWS = 3 };

#if !TN_DSP
void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    tn_plane_channels(op, arena, step);
}
#else
/* What the assembly reads from memory and writes there. The step and the next output are loaded together, that and the limit
 * stored, the two offsets loaded. */
typedef struct {
    uint32_t step;       /* bytes from an output to the one after it */
    int8_t *out;         /* the next output */
    const int8_t *limit; /* a channel's last output */
    int32_t to_second, to_third; /* from the end of a channel's row to the next channel's, bytes */
    int32_t to_first;
    int32_t back; /* from behind a channel's last output to the next channel's first */
    const int16_t *weights;
    const int32_t *last; /* behind the last channel's constants */
} tn_triple;

/* A row of a pair of outputs y, z: `w` is (w0 w1), `x` is (w1 w2). */
#define TN_ROW_3(p, w, x)                      \
    "ldrd   %[u], %[v], [%[" p "]], #4     \n" \
    "smlad  %[y], %[u], %[" w "], %[y]     \n" \
    "smlatb %[z], %[u], %[" w "], %[z]     \n" \
    "smlabt %[y], %[v], %[" x "], %[y]     \n" \
    "smlad  %[z], %[v], %[" x "], %[z]     \n"
#define TN_FIRST_ROW_3                         \
    "ldr    %[z], [%[k]]                   \n" \
    "ldrd   %[u], %[v], [%[p]], #4         \n" \
    "smlad  %[y], %[u], %[w0], %[z]        \n" \
    "smlatb %[z], %[u], %[w0], %[z]        \n" \
    "smlabt %[y], %[v], %[w1], %[y]        \n" \
    "smlad  %[z], %[v], %[w1], %[z]        \n"
/* The same with stride 2. */
#define TN_ROW_3_2(p, w, x)                    \
    "ldrd   %[u], %[v], [%[" p "]], #8     \n" \
    "smlad  %[y], %[u], %[" w "], %[y]     \n" \
    "ldr    %[u], [%[" p "]]               \n" \
    "smlabt %[y], %[v], %[" x "], %[y]     \n" \
    "smlad  %[z], %[v], %[" w "], %[z]     \n" \
    "smlabt %[z], %[u], %[" x "], %[z]     \n"
#define TN_FIRST_ROW_3_2                       \
    "ldr    %[z], [%[k]]                   \n" \
    "ldrd   %[u], %[v], [%[p]], #8         \n" \
    "smlad  %[y], %[u], %[w0], %[z]        \n" \
    "ldr    %[u], [%[p]]                   \n" \
    "smlabt %[y], %[v], %[w1], %[y]        \n" \
    "smlad  %[z], %[v], %[w0], %[z]        \n" \
    "smlabt %[z], %[u], %[w1], %[z]        \n"


/* All channels: w0 .. w5 are a channel's weights, k its constants; of both outputs the second only where it is inside the
 * row. */
#define TN_CHANNELS_3(rows)                    \
    "1:                                    \n" \
    "ldr    %[u], %[weights]               \n" \
    "ldrd   %[w0], %[w1], [%[u]], #8       \n" \
    "ldrd   %[w2], %[w3], [%[u]], #8       \n" \
    "ldrd   %[w4], %[w5], [%[u]], #8       \n" \
    "str    %[u], %[weights]               \n" \
    "2:                                    \n" \
    rows                                       \
    "ldrd   %[u], %[v], [%[k], #4]         \n" \
    "smmlar %[y], %[y], %[u], %[v]         \n" \
    "smmlar %[z], %[z], %[u], %[v]         \n" \
    "ldr    %[u], [%[k], #12]              \n" \
    "asr    %[y], %[y], %[u]               \n" \
    "asr    %[z], %[z], %[u]               \n" \
    "ldrd   %[v], %[u], %[step]            \n" \
    "ssat   %[y], #8, %[y]                 \n" \
    "ssat   %[z], #8, %[z]                 \n" \
    "strb   %[y], [%[u]]                   \n" \
    "ldr    %[y], %[limit]                 \n" \
    "add    %[u], %[u], %[v]               \n" \
    "cmp    %[u], %[y]                     \n" \
    "it     ls                             \n" \
    "strbls %[z], [%[u]]                   \n" \
    "add    %[u], %[u], %[v]               \n" \
    "str    %[u], %[out]                   \n" \
    "blo    2b                             \n" \
    "ldr    %[v], %[back]                  \n" \
    "add    %[u], %[u], %[v]               \n" \
    "add    %[y], %[y], #1                 \n" \
    "strd   %[u], %[y], %[out]             \n" \
    "ldr    %[z], %[first]                 \n" \
    "ldrd   %[u], %[v], %[others]          \n" \
    "add    %[p], %[p], %[z]               \n" \
    "add    %[q], %[q], %[u]               \n" \
    "add    %[r], %[r], %[v]               \n" \
    "ldr    %[u], %[last]                  \n" \
    "add    %[k], %[k], #16                \n" \
    "cmp    %[k], %[u]                     \n" \
    "bne    1b                             \n"
/* (GCC takes no more than thirty operands.) */
#define TN_TRIPLE(rows)                                                                                               \
    __asm__ volatile(TN_CHANNELS_3(rows)                                                                              \
                     : [p] "+r"(p), [q] "+r"(q), [r] "+r"(r), [k] "+r"(constants), [w0] "=&r"(w0), [w1] "=&r"(w1),    \
                       [w2] "=&r"(w2), [w3] "=&r"(w3), [w4] "=&r"(w4), [w5] "=&r"(w5), [u] "=&r"(u), [v] "=&r"(v),    \
                       [y] "=&r"(y), [z] "=&r"(z), [out] "+m"(triple.out), [limit] "+m"(triple.limit),                \
                       [weights] "+m"(triple.weights)                                                                 \
                     : [step] "m"(triple.step), [first] "m"(triple.to_first), [others] "m"(triple.to_second), [back] "m"(triple.back),         \
                       [last] "m"(triple.last)                                                                        \
                     : "memory", "cc")

void tn_depthwise_planes_3(const tn_op *op, int8_t *arena, int step)
{
    const tn_blocks *const layer = op->parameters;
    const tn_planes planes = tn_planes_at(op, arena, step);
    const uint32_t channels = op->output->channels, columns = layer->columns, pairs = (columns + 1) / 2;
    const int32_t walked = (int32_t)(4 * layer->stride_columns * pairs), next = (int32_t)(2 * planes.pitch);
    const int32_t *constants = layer->constants;
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
    uint32_t w0, w1, w2, w3, w4, w5, u, v;
    int32_t y, z;
    tn_triple triple;
    triple.out = row;
    triple.step = channels;
    triple.to_first = to_next[0];
    triple.to_second = to_next[1];
    triple.to_third = to_next[2];
    triple.back = 1 - (int32_t)(2 * pairs * channels);
    triple.limit = row + (columns - 1) * channels;
    triple.weights = layer->weights;
    triple.last = constants + channels * TN_CONSTANTS;
    if (layer->stride_columns == 1) {
        TN_TRIPLE(TN_FIRST_ROW_3 TN_ROW_3("q", "w2", "w3") TN_ROW_3("r", "w4", "w5"));
    } else {
        TN_TRIPLE(TN_FIRST_ROW_3_2 TN_ROW_3_2("q", "w2", "w3") TN_ROW_3_2("r", "w4", "w5"));
    }
    tn_clamp_row(row, columns * channels, layer->low, layer->high);
}
#endif
