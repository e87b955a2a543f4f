/* The rows that blocks of pixels and channels are written to: where they lie, and what is done when they are written. See
 * tn_blocks.h. */
#include "tn_blocks.h"

static int tn_is_planes(const tn_map *map)
{
    return map->size == 2;
}

tn_target tn_target_of(const tn_op *op, int8_t *arena, int step)
{
    tn_target target;
    target.row = tn_row(op->output, arena, (unsigned)step);
    target.channels = tn_is_planes(op->output) ? op->output->columns : op->output->channels;
    target.pitch = 2 * op->output->channels;
    /* a slot's margins are clean from its first row on, whichever end of the map that is */
    target.fresh = step < op->output->slots || step + op->output->slots >= op->output->rows;
    return target;
}

/* Sets `bytes` (few, even) to 0, wherever they lie: by stores of four that may overlap. A call of memset, which GCC makes of
 * any loop, would take longer. */
TN_INLINE void tn_clear(int8_t *at, uint32_t bytes)
{
    const uint32_t zero = 0;
    if (bytes < 4) {
        if (bytes) {
            memcpy(at, &zero, 2);
        }
        return;
    }
    memcpy(at, &zero, 4);
    memcpy(at + bytes - 4, &zero, 4);
    if (bytes > 8) {
        memcpy(at + 4, &zero, 4);
        memcpy(at + bytes - 8, &zero, 4);
    }
    if (bytes > 16) {
        memset(at + 8, 0, bytes - 16);
    }
}

/* Sets what is beside the columns of a row of planes to 0: planes hold values less their zero point. What is behind one
 * channel's columns and before the next one's is a single gap. */
static void tn_clear_margins(const tn_blocks *layer, const tn_map *output, int8_t *row)
{
    const uint32_t before = 2 * layer->before, behind = before + 2 * layer->columns, pitch = 2 * output->channels;
    const uint32_t gap = pitch - behind + before;
    int8_t *const last = row + (output->columns - 1) * pitch + behind;
    int8_t *at = row + behind;
    tn_clear(row, before);
    if (gap == 4) { /* as nearly always round 3 columns */
        for (; at != last; at += pitch) {
            tn_clear(at, 4);
        }
    }
    for (; at != last; at += pitch) {
        tn_clear(at, gap);
    }
    tn_clear(last, pitch - behind);
}

void tn_finish_row(const tn_op *op, const tn_target *target)
{
    const tn_blocks *const layer = op->parameters;
    if (!tn_is_planes(op->output)) {
        tn_clamp_row(target->row, layer->columns * target->channels, layer->low, layer->high);
    } else if (target->fresh) {
        tn_clear_margins(layer, op->output, target->row);
    }
}
