/* The scheduler: walks the plan's steps. */
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
    /* A sum that leaves 32 bits wraps, as TFLite's does; only a multiplier > 1 gets there. */
    return tn_saturate((int32_t)((uint32_t)tn_rescale(value, multiplier, shift) + (uint32_t)zero));
}
