/* ADD of two maps of one shape, by a table.
 *
 * TFLite shifts both sides 20 places, scales them, adds, scales the sum. The side of the larger scale is halved, which is
 * exact and so a shift of 20 where the sum is wanted twice; of the other all 256 results are in flash, with both zero
 * points in them. Nine instructions an element: two loads, the table, the sum, its requantisation (tn_rescale_narrow with
 * the output's zero point in the rounding), the store.
 */
#include "tinynas_kernels.h"
#include "tn_arithmetic.h"

/* Places by which a halved side is shifted, and one for being wanted twice. */
enum { TN_HALVED = 20 };

#if TN_DSP
#define TN_SUM                                       \
    "ldrsb  %[t], [%[halved]], #1                \n" \
    "ldrsb  %[u], [%[scaled]], #1                \n" \
    "ldr    %[u], [%[table], %[u], lsl #2]       \n" \
    "add    %[u], %[u], %[t], lsl #20            \n" \
    "smmlar %[t], %[u], %[multiplier], %[rounding] \n" \
    "add    %[t], %[t], %[u], asr #31            \n" \
    "asr    %[t], %[t], %[shift]                 \n" \
    "ssat   %[t], #8, %[t]                       \n" \
    "strb   %[t], [%[out]], #1                   \n"
#endif

void tn_add_table(const tn_op *op, int8_t *arena, int step)
{
    const tn_table_sum *const sum = op->parameters;
    const int8_t *scaled = tn_row(op->inputs[sum->scaled], arena, (unsigned)step);
    const int8_t *halved = tn_row(op->inputs[1 - sum->scaled], arena, (unsigned)step);
    const int32_t *const table = sum->table + 128;
    const int32_t multiplier = sum->multiplier, rounding = sum->rounding, shift = sum->shift;
    const uint32_t count = op->output->columns * op->output->channels;
    int8_t *const row = tn_row(op->output, arena, (unsigned)step);
    int8_t *out = row;
    uint32_t left = count;
#if TN_DSP
    int32_t t, u;
    for (; left >= 4; left -= 4) {
        __asm__ volatile(TN_SUM TN_SUM TN_SUM TN_SUM
                         : [halved] "+r"(halved), [scaled] "+r"(scaled), [out] "+r"(out), [t] "=&r"(t), [u] "=&r"(u)
                         : [table] "r"(table), [multiplier] "r"(multiplier), [rounding] "r"(rounding), [shift] "r"(shift)
                         : "memory");
    }
#endif
    for (; left; left--) {
        const int32_t x = table[*scaled++] + *halved++ * (1 << TN_HALVED);
        *out++ = tn_saturate((tn_high_plus(x, multiplier, rounding) + (x >> 31)) >> shift);
    }
    tn_clamp_row(row, count, sum->low, sum->high);
}
