/* Rows of blocks, for one layout of weights: a C file defines TN_BLOCK_CHANNELS, the function that multiplies and finishes
 * pairs of channels, TN_BLOCK_ENTRY, where its loops begin, and TN_WEIGHTS, the halfwords of a value of a pair, and then
 * includes this. (Text, and no pointer to a function: every call is then known when the stack is bounded, and inlined.) */

TN_INLINE void tn_block_row(const tn_op *op, int8_t *arena, int step, const tn_patch *patch, const int planes)
{
    const tn_blocks *const layer = op->parameters;
    const tn_target target = tn_target_of(op, arena, step);
    const uint32_t count = target.channels, columns = layer->columns, apart = layer->stride_columns * patch->channels;
    const int8_t *const plain = tn_plain_pixels(patch);
    int8_t *const first = target.row + (planes ? 2 * layer->before : 0);
    const uint32_t pair = layer->depth * TN_WEIGHTS + TN_PAIR_CONSTANTS;
    uint32_t pixels = 0;
    tn_channels channels;
    channels.widened = channels.end = (uint32_t *)(void *)(arena + op->scratch);
    channels.entry = 0;
    channels.step = planes ? target.pitch : count;
    for (uint32_t column = 0; column < columns; column += pixels) {
        const uint32_t next = tn_min(columns - column, 4);
        if (next != pixels) { /* the first block, and the last */
            pixels = next;
            channels.end = channels.widened + pixels * layer->depth / 2;
            channels.entry = TN_BLOCK_ENTRY(pixels, layer->depth / TN_STEP);
        }
        if (!plain) {
            tn_widen(patch, column, pixels, channels.widened);
        } else if (pixels == 4) {
            tn_widen_four(plain + column * apart, apart, patch->words, channels.widened);
        } else {
            tn_widen_few(plain + column * apart, apart, patch->words, pixels, channels.widened);
        }
        channels.weights = layer->weights;
        channels.last = layer->weights + count / 2 * pair;
        channels.out = first + column * (planes ? 2 : count);
        for (uint32_t odd = count % 2;; odd = 0) {
            TN_BLOCK_CHANNELS(&channels, pixels, planes);
            if (!odd) {
                break;
            }
            /* the last of an odd number goes with the one before it, which is thus made twice, to the same value */
            channels.out -= planes ? target.pitch : 1;
            channels.last += pair;
        }
    }
    tn_finish_row(op, &target);
}

/* Convolutions and dense layers share it. */
static void tn_block_rows(const tn_op *op, int8_t *arena, int step, const tn_patch *patch)
{
    tn_block_row(op, arena, step, patch, 0);
}
