/* The scheduler, which walks the plan's steps, and what many kernels call. */
#include "tinynas_engine.h"
#include "tn_arithmetic.h"

void tn_run(const tn_network *network, int8_t *arena)
{
    const tn_step *step = network->steps;
    const tn_step *const end = step + network->step_count;
    for (; step != end; step++) {
        const tn_op *const op = network->ops + step->op;
        const int way = step->count < 0 ? -1 : 1;
        for (int i = 0; i != step->count; i += way) {
            op->run(op, arena, step->first + i);
        }
    }
}

int8_t tn_rescale_wide(int32_t value, int32_t multiplier, int32_t shift, int32_t zero)
{
    /* A sum that leaves 32 bits wraps, as TFLite's does; only a multiplier near 1 or beyond gets there. */
    return tn_saturate((int32_t)((uint32_t)tn_rescale(value, multiplier, shift) + (uint32_t)zero));
}

void tn_clamp_row(int8_t *row, uint32_t count, int8_t low, int8_t high)
{
    uint32_t i = 0;
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
#if TN_DSP
    const uint32_t lows = tn_four_bytes(low), highs = tn_four_bytes(high);
    for (; i + 4 <= count; i += 4) {
        const uint32_t bytes = tn_smaller_bytes(tn_larger_bytes(tn_load4(row + i), lows), highs);
        memcpy(row + i, &bytes, 4);
    }
#endif
    for (; i < count; i++) {
        row[i] = (int8_t)tn_clamp(row[i], low, high);
    }
}
