/* The cases of kernel_driver.c for kernels without weights: element by element, pooling, lookups, softmax. */

static void elementwise(const char *name, tn_kernel *kernel, uint32_t rows, uint32_t columns, uint32_t channels, int once)
{
    tn_binary binary;
    memset(&binary, 0, sizeof binary);
    tn_map inputs[2] = {map_of(rows, columns, channels, 1), map_of(once ? 1 : rows, once ? 1 : columns, channels, 1)};
    tn_map output = inputs[0];
    binary.left.multiplier = 1 << 30;
    binary.right.multiplier = draw(1 << 30, INT32_MAX);
    binary.right.shift = -draw(0, 4);
    binary.output.multiplier = draw(1 << 30, INT32_MAX);
    binary.output.shift = kernel == tn_add ? -draw(16, 20) : -draw(-2, 10);
    binary.left_zero = (int16_t)draw(-128, 127);
    binary.right_zero = (int16_t)draw(-128, 127);
    binary.output_zero = (int8_t)draw(-128, 127);
    binary.low = (int8_t)(draw(0, 1) ? -128 : draw(-128, 0));
    binary.high = (int8_t)(draw(0, 1) ? 127 : draw(0, 127));
    report(name, kernel, &binary, inputs, 2, &output, 0, (int)rows);
    release_all();
}

static void others(uint32_t rows, uint32_t columns, uint32_t channels)
{
    tn_map input = map_of(rows, columns, channels, 1);
    tn_map same = input;
    tn_map single = map_of(1, 1, channels, 1);
    {
        const uint32_t kernel = (uint32_t)draw(1, (int32_t)(rows < columns ? rows : columns));
        const uint32_t stride = (uint32_t)draw(1, 3);
        tn_pool pool = {(uint16_t)kernel, (uint16_t)kernel, (uint16_t)stride, (uint16_t)stride, 0, 0, -100, 120};
        tn_map output =
            map_of(window_count(rows, kernel, stride, 0), window_count(columns, kernel, stride, 0), channels, 1);
        report("average_pool", tn_average_pool, &pool, &input, 1, &output, 0, output.rows);
        report("max_pool", tn_max_pool, &pool, &input, 1, &output, 0, output.rows);
    }
    {
        tn_mean_parameters mean = {{draw(1 << 29, INT32_MAX), -draw(0, 6)}, draw(-128, 127), draw(-128, 127), 1, 1};
        report("mean", tn_mean, &mean, &input, 1, &single, 4 * channels, (int)rows);
    }
    {
        tn_lookup_parameters lookup = {draw_bytes(256, -128)};
        report("lookup", tn_lookup, &lookup, &input, 1, &same, 0, (int)rows);
    }
    {
        int32_t *const exponentials = allocate(4 * 256);
        tn_softmax_parameters softmax = {exponentials};
        exponentials[0] = INT32_MAX;
        for (int i = 1; i < 256; i++) {
            exponentials[i] = (int32_t)((int64_t)exponentials[i - 1] * draw(800, 1000) / 1000);
        }
        report("softmax", tn_softmax, &softmax, &input, 1, &same, 0, (int)rows);
    }
    {
        tn_affine affine = {0.25f, draw(-128, 127)};
        tn_map real = map_of(rows, columns, channels, 4);
        report("dequantize", tn_dequantize, &affine, &input, 1, &real, 0, (int)rows);
    }
    release_all();
}
