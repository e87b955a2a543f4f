/* Runs every kernel on cases drawn from a fixed seed and prints a hash of each case's output.
 *
 * Built for the host (portable path, under sanitizers), for Cortex-M7 (DSP path, in QEMU) and for RISC-V (in Unicorn, with
 * benchmarks/cores around it), it must print the same.
 */
#include <stdlib.h>
#include <string.h>

#include "tinynas_kernels.h"

#if defined(__arm__) || defined(__riscv)
#ifdef __riscv
#include "core.h"
static void print(const char *text)
{
    environment_call(4, text); /* SYS_WRITE0 */
}
#else
static void print(const char *text)
{
    register int operation __asm__("r0") = 4; /* SYS_WRITE0 */
    register const char *argument __asm__("r1") = text;
    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
}
#endif
static char memory[1 << 20];
static size_t used;
static void *allocate(size_t bytes)
{
    void *const start = memory + used;
    used += (bytes + 7) & ~(size_t)7;
    return start;
}
static void release_all(void)
{
    used = 0;
}
#else
#include <stdio.h>
static void print(const char *text)
{
    fputs(text, stdout);
}
static void *blocks[64];
static int block_count;
static void *allocate(size_t bytes) /* each its own, so that the sanitizer sees a byte too far */
{
    return blocks[block_count++] = malloc(bytes ? bytes : 1);
}
static void release_all(void)
{
    while (block_count) {
        free(blocks[--block_count]);
    }
}
#endif

static void print_number(uint32_t number, uint32_t base)
{
    char digits[12];
    char *digit = digits + sizeof digits;
    *--digit = 0;
    do {
        *--digit = "0123456789abcdef"[number % base];
    } while (number /= base);
    print(digit);
}

static uint32_t state = 12345;

/* A number in low..high. */
static int32_t draw(int32_t low, int32_t high)
{
    state = state * 1664525u + 1013904223u;
    return low + (int32_t)(((uint64_t)state * (uint32_t)(high - low + 1)) >> 32);
}

static int8_t *draw_bytes(uint32_t count, int32_t low)
{
    int8_t *const bytes = allocate(count);
    const int extreme = draw(0, 3) == 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (int8_t)(extreme ? (draw(0, 1) ? 127 : low) : draw(low, 127));
    }
    return bytes;
}

static tn_map map_of(uint32_t rows, uint32_t columns, uint32_t channels, uint8_t size)
{
    tn_map map;
    map.offset = 0;
    map.slots = map.rows = (uint16_t)rows;
    map.columns = columns;
    map.channels = channels;
    map.size = size;
    return map;
}

static uint32_t bytes_of(const tn_map *map)
{
    return map->slots * map->columns * map->channels * map->size;
}

/* Runs `steps` steps on maps that follow each other in an arena just large enough; input and scratch are random. */
static const int8_t *run(tn_kernel *kernel, const void *parameters, tn_map *inputs, uint32_t input_count, tn_map *output,
                         uint32_t scratch, int steps)
{
    const tn_map *pointers[4];
    uint32_t size = 0;
    for (uint32_t i = 0; i < input_count; i++) {
        inputs[i].offset = size;
        pointers[i] = &inputs[i];
        size = (size + bytes_of(&inputs[i]) + 3) & ~3u;
    }
    const uint32_t scratch_offset = size;
    size += (scratch + 3) & ~3u;
    output->offset = size; /* last: a byte too far is outside the arena */
    int8_t *const arena = draw_bytes(size + bytes_of(output), -128);
    const tn_op op = {kernel, parameters, pointers, output, scratch_offset};
    const tn_step step = {0, (uint8_t)steps, 0};
    const tn_network network = {&op, &step, 1};
    tn_run(&network, arena);
    return arena + output->offset;
}

/* The same, and a hash of the output is printed. */
static void report(const char *name, tn_kernel *kernel, const void *parameters, tn_map *inputs, uint32_t input_count,
                   tn_map *output, uint32_t scratch, int steps)
{
    uint32_t hash = 2166136261u;
    const int8_t *const out = run(kernel, parameters, inputs, input_count, output, scratch, steps);
    for (uint32_t i = 0; i < bytes_of(output); i++) {
        hash = (hash ^ (uint8_t)out[i]) * 16777619u;
    }
    print(name);
    print(" ");
    print_number(hash, 16);
    print("\n");
}

#include "kernel_driver_windows.h"
#include "kernel_driver_fast.h"
#include "kernel_driver_maps.h"

static void run_all(void)
{
    for (int i = 0; i < 60; i++) {
        const uint32_t rows = (uint32_t)draw(1, 9), columns = (uint32_t)draw(1, 9);
        const uint32_t channels = (uint32_t)draw(1, 40), outputs = (uint32_t)draw(1, 20);
        const uint32_t window = (uint32_t)draw(1, 7), stride = (uint32_t)draw(1, 3);
        const uint32_t short_of = rows < columns ? rows : columns;
        const uint32_t most = 2 * (window - 1);
        const uint32_t least = window > short_of ? window - short_of : 0;
        const uint32_t pad = (uint32_t)draw((int32_t)least, (int32_t)(most > least ? most : least));
        const int wide = draw(0, 3) == 0;
        convolution("convolve", tn_convolve, rows, columns, channels, outputs, window, stride, pad, 1, wide);
        convolution("convolve_groups", tn_convolve_groups, rows, columns, 2 * channels, 2 * outputs, window, stride,
                    pad, 2, wide);
        convolution("pointwise", tn_pointwise, rows, columns, channels, outputs, 1, stride, 0, 1, wide);
        convolution("depthwise", tn_depthwise, rows, columns, channels, channels, window, stride, pad, channels, wide);
        convolution("depthwise 3x3", tn_depthwise, rows + 2, columns + 2, channels, channels, 3, stride,
                    (uint32_t)draw(0, 4), channels, wide);
        convolution("depthwise 12x12", tn_depthwise, 3, 3, channels, channels, 12, 1, 11, channels, wide);
        convolution("depthwise_multiplied", tn_depthwise_multiplied, rows, columns, channels, 3 * channels, window,
                    stride, pad, channels, wide);
        convolution("dense", tn_dense, 1, 1, channels * channels, outputs, 1, 1, 0, 1, wide);
        layer_of_blocks("convolve_packed", tn_convolve_packed, rows, columns, channels, outputs + 1, window, stride, pad, 1, 0);
        layer_of_blocks("pointwise packed", tn_convolve_packed, rows, columns, channels, outputs + 1, 1, stride, 0, 1, 0);
        layer_of_blocks("convolve_paired", tn_convolve_paired, rows, columns, channels, outputs + 1, window, stride, pad, 2, 0);
        layer_of_blocks("convolve_paired_planes", tn_convolve_paired_planes, rows, columns, channels, outputs + 1, window,
                        stride, pad, 2, 1);
        layer_of_blocks("convolve_packed_planes", tn_convolve_packed_planes, rows, columns, channels, outputs + 1, window,
                        stride, pad, 1, 1);
        const uint32_t width = (uint32_t)draw(1, 19);
        winograd(rows, width, (channels + 3) / 4 + 2, outputs);
        const uint32_t height = (uint32_t)draw(1, 7), step = (uint32_t)draw(1, 2);
        planes("planes 3", tn_depthwise_planes_3, rows + 2, columns, channels, 3, 3, step);
        planes("planes 5", tn_depthwise_planes, rows + 6, columns, channels, height, 5, step);
        planes("planes 7", tn_depthwise_planes, rows + 6, columns, channels, height, 7, step);
        sums("add_table", rows, columns, channels);
        elementwise("add", tn_add, rows, columns, channels, draw(0, 3) == 0);
        elementwise("mul", tn_mul, rows, columns, channels, draw(0, 1));
        others(rows, columns, channels);
    }
    /* every way to cut a row into pairs and fours */
    for (uint32_t columns = 1; columns <= 13; columns++) {
        for (uint32_t step = 1; step <= 2; step++) {
            planes("planes 3", tn_depthwise_planes_3, 4, columns, 3, 3, 3, step);
            planes("planes 5", tn_depthwise_planes, 6, columns, 3, 5, 5, step);
            planes("planes 7", tn_depthwise_planes, 8, columns, 3, 7, 7, step);
        }
    }
}

int main(void)
{
    run_all();
    return 0;
}

#ifdef __arm__
/* A bare Cortex-M: a stack, an entry, and the way out through QEMU's semihosting. */
extern char stack_top[];
__attribute__((used)) void start(void);
void start(void)
{
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* CPACR: the FPU on */
    __asm__ volatile("dsb\n isb" : : : "memory");
#endif
    main();
    register int operation __asm__("r0") = 0x18; /* SYS_EXIT */
    register int reason __asm__("r1") = 0x20026; /* ADP_Stopped_ApplicationExit */
    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(reason) : "memory");
    for (;;) {
    }
}
static void fault(void)
{
    print("fault\n");
    for (;;) {
    }
}
typedef void handler(void);
__attribute__((section(".vectors"), used)) static handler *const vectors[16] = {
    (handler *)stack_top, start, fault, fault, fault, fault, fault};
#endif
