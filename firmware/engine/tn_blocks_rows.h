/* Rows of blocks, for one layout of weights: a C file defines TN_BLOCK_CHANNELS, the function that multiplies and finishes
 * pairs of channels, and TN_WEIGHTS, the halfwords of a value of a pair, and then includes this. (Text, and no pointer to a
 * function: every call is then known when the stack is bounded, and inlined.) */

/* All channels of `pixels` pixels. */
TN_INLINE void tn_block_channels(const tn_blocks *layer, const uint32_t *widened, const uint32_t pixels,
                                 const tn_target *target, uint32_t column, const int planes)
{
    const uint32_t count = target->channels, values = layer->depth * TN_WEIGHTS;
    tn_channels channels;
    channels.constants = layer->constants;
    channels.out = target->row + (planes ? 2 * (layer->before + column) : column * count);
    channels.weights = layer->weights;
    channels.last = channels.weights + count / 2 * values;
    channels.step = planes ? target->pitch : count;
    for (uint32_t odd = count % 2;; odd = 0) {
        TN_BLOCK_CHANNELS(&channels, layer->depth, widened, pixels, planes);
        if (!odd) {
            break;
        }
        /* the last of an odd number goes with the one before it, which is thus made twice, to the same value */
        channels.out -= planes ? target->pitch : 1;
        channels.last += values;
    }
}

TN_INLINE void tn_block_row(const tn_op *op, int8_t *arena, int step, const tn_patch *patch, const int planes)
{
    const tn_blocks *const layer = op->parameters;
    const tn_target target = tn_target_of(op, arena, step);
    uint32_t *const widened = (uint32_t *)(void *)(arena + op->scratch);
    const uint32_t apart = layer->stride_columns * patch->channels;
    const int8_t *const plain = tn_plain_pixels(patch);
    uint32_t pixels;
    for (uint32_t column = 0; column < layer->columns; column += pixels) {
        pixels = tn_block_pixels(layer, column);
        if (plain) {
            tn_widen_pixels(plain + column * apart, apart, patch->words, pixels, widened);
        } else {
            tn_widen(patch, column, pixels, widened);
        }
        if (pixels == 4) {
            tn_block_channels(layer, widened, 4, &target, column, planes);
        } else if (pixels == 2) {
            tn_block_channels(layer, widened, 2, &target, column, planes);
        } else {
            tn_block_channels(layer, widened, 1, &target, column, planes);
        }
    }
    tn_finish_row(op, &target);
}

/* Convolutions and dense layers share it. */
static void tn_block_rows(const tn_op *op, int8_t *arena, int step, const tn_patch *patch)
{
    tn_block_row(op, arena, step, patch, 0);
}
