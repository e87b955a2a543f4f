/* The cases of kernel_driver.c for the plain convolutions, depthwise and dense layers, by windows over rows of int8. */

/* Constants for `channels` output channels of a convolution of `depth` products. */
static void draw_channels(tn_conv *conv, uint32_t channels, int wide)
{
    int32_t *const bias = allocate(4 * channels), *const multipliers = allocate(4 * channels);
    int8_t *const shifts = allocate(channels);
    const int32_t reach = 127 * 128 * (int32_t)conv->depth;
    int32_t right = 1;
    while (right < 31 && reach >> right > 200) {
        right++;
    }
    for (uint32_t i = 0; i < channels; i++) {
        const int32_t shift = draw(0, 7) ? draw(right > 3 ? right - 3 : 1, right) : draw(1, 31);
        bias[i] = wide && draw(0, 3) == 0 ? INT32_MAX - draw(0, 99) : draw(-reach, reach); /* sums may wrap around */
        multipliers[i] = draw(0, 7) ? draw(1 << 30, INT32_MAX) : draw(0, 1) ? 1 << 30 : INT32_MAX;
        shifts[i] = (int8_t)(wide && draw(0, 3) == 0 ? draw(-1, 5) : -shift);
    }
    conv->bias = bias;
    conv->multipliers = multipliers;
    conv->shifts = shifts;
    conv->output_zero = (int8_t)draw(-128, 127);
    conv->low = (int8_t)(draw(0, 1) ? -128 : draw(-128, 0));
    conv->high = (int8_t)(draw(0, 1) ? 127 : draw(0, 127));
    conv->narrow = !wide;
}

/* Output rows or columns of a window over `size` with padding before and after. */
static uint32_t window_count(uint32_t size, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    return (size + pad - kernel) / stride + 1;
}

static void convolution(const char *name, tn_kernel *kernel, uint32_t rows, uint32_t columns, uint32_t channels,
                        uint32_t outputs, uint32_t window, uint32_t stride, uint32_t pad, uint32_t groups, int wide)
{
    tn_conv conv;
    memset(&conv, 0, sizeof conv);
    const int depthwise = kernel == tn_depthwise || kernel == tn_depthwise_multiplied;
    const uint32_t before = pad / 2;
    tn_map input = map_of(rows, columns, channels, 1);
    tn_map output = map_of(window_count(rows, window, stride, pad), window_count(columns, window, stride, pad), outputs, 1);
    conv.depth = window * window * (depthwise ? 1 : channels / groups);
    conv.kernel_rows = conv.kernel_columns = (uint16_t)window;
    conv.stride_rows = conv.stride_columns = (uint16_t)stride;
    conv.pad_top = conv.pad_left = (uint16_t)before;
    conv.groups = (uint16_t)groups;
    if (kernel == tn_depthwise) {
        const uint32_t fours = (channels + 3) / 4, pairs = (conv.depth + 1) / 2;
        int8_t *const weights = draw_bytes(fours * pairs * 8, -127);
        if (conv.depth % 2) { /* what the packing leaves 0 */
            for (uint32_t i = 1; i <= fours; i++) {
                int8_t *const last = weights + (i * pairs - 1) * 8;
                last[2] = last[3] = last[6] = last[7] = 0;
            }
        }
        conv.weights = weights;
    } else {
        conv.weights = draw_bytes(outputs * conv.depth, -127);
    }
    int8_t *const padding = allocate(channels);
    memset(padding, draw(-128, 127), channels);
    conv.padding = padding;
    draw_channels(&conv, outputs, wide);
    report(name, kernel, &conv, &input, 1, &output, 2 * ((conv.depth + 3) & ~3u), output.rows);
    release_all();
}
