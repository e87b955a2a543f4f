/* Rows of blocks, for one layout of weights: a C file defines TN_BLOCK_PAIR, the function that multiplies and finishes a pair
 * of channels, TN_WEIGHTS, the halfwords of a value of a pair, and on cores with DSP TN_BYTES_4, _2 and _1, the bytes of a
 * step of its loops, and then includes this. (Text, and no pointer to a function: every call is then known when the stack is
 * bounded, and inlined.) */

/* All channels of `pixels` pixels. */
TN_INLINE void tn_block_channels(const tn_blocks *layer, const uint32_t *widened, const uint32_t pixels,
                                 const tn_target *target, uint32_t column, const int planes)
{
    const uint32_t channels = target->channels, values = layer->depth * TN_WEIGHTS;
    const uint32_t apart = planes ? target->pitch : 1; /* bytes from a channel to the next */
    tn_pair pair;
    pair.end = layer->weights;
    pair.constants = layer->constants;
    pair.step = planes ? target->pitch : channels;
    pair.out = target->row + (planes ? 2 * (layer->before + column) : column * channels);
#if TN_DSP
    pair.entry = tn_entry(layer->depth, pixels == 4 ? TN_BYTES_4 : pixels == 2 ? TN_BYTES_2 : TN_BYTES_1);
#endif
    for (uint32_t left = channels / 2, odd = channels % 2;;) {
        pair.weights = pair.end;
        pair.end += values;
        TN_BLOCK_PAIR(&pair, widened, pixels, planes);
        pair.constants += 2 * TN_CONSTANTS;
        pair.out += 2 * apart;
        if (--left) {
            continue;
        }
        if (!odd) {
            break;
        }
        odd = 0; /* the last of an odd number goes with the one before it, which is thus made twice, to the same value */
        left = 1;
        pair.out -= apart;
    }
}

TN_INLINE void tn_block_row(const tn_op *op, int8_t *arena, int step, const tn_patch *patch, const int planes)
{
    const tn_blocks *const layer = op->parameters;
    const tn_target target = tn_target_of(op, arena, step);
    uint32_t *const widened = (uint32_t *)(void *)(arena + op->scratch);
    uint32_t pixels;
    for (uint32_t column = 0; column < layer->columns; column += pixels) {
        pixels = tn_block_pixels(layer, column);
        tn_widen(patch, column, pixels, widened);
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
