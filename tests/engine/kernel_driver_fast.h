/* The cases of kernel_driver.c for kernels by blocks, of planes and by tables: constants of any value their layouts allow. */

/* A layer of tn_blocks with any halfwords as weights, `halves` of them a value of a pair of channels; with two they stand
 * between the constants, with one before them. */
static void layer_of_blocks(const char *name, tn_kernel *kernel, uint32_t rows, uint32_t columns, uint32_t channels, uint32_t outputs,
                   uint32_t window, uint32_t stride, uint32_t pad, uint32_t halves, int planes)
{
    tn_blocks layer;
    memset(&layer, 0, sizeof layer);
    const uint32_t even = (outputs + 1) & ~1u, before = pad / 2;
    tn_map input = map_of(rows, columns, channels, 1);
    const uint32_t height = window_count(rows, window, stride, pad), width = window_count(columns, window, stride, pad);
    layer.depth = (window * window * channels + 3) & ~3u;
    layer.columns = width;
    layer.kernel_rows = layer.kernel_columns = (uint16_t)window;
    layer.stride_rows = layer.stride_columns = (uint16_t)stride;
    layer.pad_top = layer.pad_left = (uint16_t)before;
    layer.before = (uint16_t)draw(0, 3);
    tn_map output = planes ? map_of(height, outputs, width + layer.before + (uint32_t)draw(0, 3), 2)
                           : map_of(height, width, outputs, 1);
    if (planes) {
        output.channels = (output.channels + 1) & ~1u;
    }
    const uint32_t own = layer.depth * halves, pair = own + 16; /* halfwords */
    int16_t *const weights = allocate(even * pair);
    const int32_t reach = 127 * 128 * (int32_t)layer.depth;
    layer.padding = (int8_t)draw(-128, 127);
    layer.low = (int8_t)(draw(0, 1) ? -128 : draw(-128, 0));
    layer.high = (int8_t)(draw(0, 1) ? 127 : draw(0, 127));
    for (uint32_t i = 0; i < even / 2; i++) {
        int16_t *const start = weights + i * pair, *const own_start = start + (halves == 2 ? 4 : 0);
        int16_t *const biases = halves == 2 ? start : own_start + own;
        int32_t constants[8];
        for (uint32_t k = 0; k < own; k++) {
            own_start[k] = (int16_t)(halves == 1 ? draw(-32767, 32767) : draw(-256, 254));
        }
        for (uint32_t channel = 0; channel < 2; channel++) {
            const int32_t right = draw(planes ? 14 : 1, 22);
            constants[channel] = draw(-reach, reach);
            constants[2 + 3 * channel] = draw(1 << 30, INT32_MAX);
            constants[3 + 3 * channel] = (2 * (planes ? 0 : draw(-128, 127)) + 1) * (1 << (right - 1));
            constants[4 + 3 * channel] = right;
        }
        memcpy(biases, constants, 8);
        memcpy(start + pair - 12, constants + 2, 24);
    }
    layer.weights = weights;
    report(name, kernel, &layer, &input, 1, &output, 8 * layer.depth, (int)height);
    release_all();
}

/* A 3 x 3 convolution by Winograd, with any weights that transformed ones can be. */
static void winograd(uint32_t rows, uint32_t columns, uint32_t channels, uint32_t outputs)
{
    tn_blocks layer;
    memset(&layer, 0, sizeof layer);
    const uint32_t pad = (uint32_t)draw(columns < 3 || rows < 3 ? 2 : 0, 4);
    tn_map input = map_of(rows, columns, channels, 1);
    tn_map output = map_of(window_count(rows, 3, 1, pad), window_count(columns, 3, 1, pad), outputs, 1);
    const uint32_t depth = (channels + 3) & ~3u, count = ((outputs + 3) & ~3u) * 24 * depth;
    const uint32_t eights = (output.columns + 7) / 8, held = depth < 32 ? 32 / depth : 1, pairs = eights < held ? eights : held;
    int16_t *const weights = allocate(2 * count);
    int32_t *const constants = allocate(16 * outputs);
    for (uint32_t i = 0; i < count; i++) { /* by pairs of channels, 0 2 and 1 3, of four outputs; 0 for those there are not */
        const uint32_t channel = i / 16 * 4 % depth + i / 8 % 2 + i % 2 * 2;
        weights[i] = (int16_t)(channel < channels ? draw(-9216, 9216) : 0);
    }
    for (uint32_t i = 0; i < outputs; i++) {
        const int32_t right = draw(1, 22);
        constants[4 * i] = draw(-(1 << 28), 1 << 28);
        constants[4 * i + 1] = draw(1 << 30, INT32_MAX);
        constants[4 * i + 2] = (2 * draw(-128, 127) + 1) * (1 << (right - 1));
        constants[4 * i + 3] = right;
    }
    layer.weights = weights;
    layer.constants = constants;
    layer.depth = depth;
    layer.columns = output.columns;
    layer.kernel_rows = 4;
    layer.kernel_columns = 3;
    layer.stride_rows = 2;
    layer.stride_columns = 1;
    layer.pad_top = layer.pad_left = (uint16_t)(pad / 2);
    layer.padding = (int8_t)draw(-128, 127);
    layer.low = (int8_t)(draw(0, 1) ? -128 : draw(-128, 0));
    layer.high = (int8_t)(draw(0, 1) ? 127 : draw(0, 127));
    report("winograd", tn_convolve_winograd, &layer, &input, 1, &output, 768 + 6 * depth + 96 * depth * pairs,
           (output.rows + 1) / 2);
    release_all();
}

/* Depthwise of planes of any int16. */
static void planes(const char *name, tn_kernel *kernel, uint32_t rows, uint32_t columns,
                                           uint32_t channels, uint32_t height, uint32_t width, uint32_t stride)
{
    tn_blocks layer;
    memset(&layer, 0, sizeof layer);
    const uint32_t above = (uint32_t)draw(0, (int32_t)height - 1);
    const uint32_t made = (rows + 2 * above - height) / stride + 1;
    const uint32_t together = width == 3 ? 2 : 4;
    const uint32_t groups = (columns + together - 1) / together;
    tn_map input = map_of(rows, channels, (stride * (groups * together - 1) + width + 1) & ~1u, 2);
    tn_map output = map_of(made, columns, channels, 1);
    layer.depth = height * 2 * (width - 1);
    layer.columns = columns;
    layer.kernel_rows = (uint16_t)height;
    layer.kernel_columns = (uint16_t)width;
    layer.stride_rows = layer.stride_columns = (uint16_t)stride;
    layer.pad_top = (uint16_t)above;
    layer.low = (int8_t)(draw(0, 1) ? -128 : draw(-128, 0));
    layer.high = (int8_t)(draw(0, 1) ? 127 : draw(0, 127));
    int16_t *const weights = allocate(2 * channels * layer.depth);
    int32_t *const constants = allocate(16 * channels);
    for (uint32_t i = 0; i < channels * height; i++) { /* words (w0 w1) (w2 w3) .., (w1 w2) (w3 w4) .. */
        int16_t *const row = weights + i * 2 * (width - 1);
        row[0] = (int16_t)(2 * draw(-128, 127));
        for (uint32_t j = 1; j < width; j++) {
            const int16_t value = (int16_t)(2 * draw(-128, 127));
            row[width + j - 2] = value;
            if (j < width - 1) {
                row[j] = value;
            }
        }
    }
    for (uint32_t i = 0; i < channels; i++) {
        const int32_t right = draw(1, 22);
        constants[4 * i] = draw(-(1 << 28), 1 << 28);
        constants[4 * i + 1] = draw(1 << 30, INT32_MAX);
        /* of 3 columns nothing below the zero point is kept, so that no sign need be corrected: here it is the least */
        constants[4 * i + 2] = (2 * (width == 3 ? -128 : draw(-128, 127)) + 1) * (1 << (right - 1));
        constants[4 * i + 3] = right;
    }
    layer.weights = weights;
    layer.constants = constants;
    report(name, kernel, &layer, &input, 1, &output, 2 * input.channels, (int)made);
    release_all();
}

/* ADD by a table of any sums. */
static void sums(const char *name, uint32_t rows, uint32_t columns, uint32_t channels)
{
    tn_table_sum sum;
    memset(&sum, 0, sizeof sum);
    tn_map inputs[2] = {map_of(rows, columns, channels, 1), map_of(rows, columns, channels, 1)};
    tn_map output = inputs[0];
    int32_t *const table = allocate(4 * 256);
    for (int i = 0; i < 256; i++) {
        table[i] = draw(-(1 << 28), 1 << 28);
    }
    sum.table = table;
    sum.multiplier = draw(1 << 30, INT32_MAX);
    sum.shift = draw(16, 22);
    sum.rounding = (2 * draw(-128, 127) + 1) * (1 << (sum.shift - 1));
    sum.scaled = (uint8_t)draw(0, 1);
    sum.low = (int8_t)draw(-128, 0);
    sum.high = (int8_t)draw(0, 127);
    report(name, tn_add_table, &sum, inputs, 2, &output, 0, (int)rows);
    release_all();
}
