/* Runs the model on every input of input.bin and writes each result to output.bin and what it took to cost.bin.
 *
 * The same program runs in QEMU (is every byte right?) and under count_instructions.py (what does it cost?).
 * cost.bin holds a `struct cost` an inference.
 */
#include <stdint.h>

#include "core.h"
#include "model_under_test.h" /* made by build.py */
#include "semihosting.h"

enum { STACK_PATTERN = 0x5AA55AA5 };

extern uint32_t stack_bottom[];

struct cost {
    uint32_t ticks; /* of 40 ns of the board's timer; under QEMU's `-icount shift=0` 40 instructions each */
    uint32_t stack; /* bytes of stack that the inference reached */
};

/* CMSDK timer 0 of the MPS2 boards: counts down at 25 MHz. */
static volatile uint32_t *const timer = (volatile uint32_t *)0x40000000;
enum { CONTROL, VALUE, RELOAD };

/* One inference. A function with a name, so that it can be found in the ELF. */
__attribute__((noinline)) void run_model(void)
{
    MODEL_INVOKE();
}

static __attribute__((noinline)) struct cost measured_run(void)
{
    uint32_t *top = stack_pointer(), *reached = stack_bottom;
    uint32_t before, ticks;

    for (uint32_t *word = stack_bottom; word < top; word++)
        *(volatile uint32_t *)word = STACK_PATTERN;
    before = timer[VALUE];
    run_model();
    ticks = before - timer[VALUE];
    while (reached < top && *(volatile uint32_t *)reached == STACK_PATTERN)
        reached++;
    return (struct cost){ticks, (uint32_t)((uintptr_t)top - (uintptr_t)reached)};
}

int main(void)
{
    int inputs = semihosting_open("input.bin", READ_BINARY);
    int outputs = semihosting_open("output.bin", WRITE_BINARY);
    int costs = semihosting_open("cost.bin", WRITE_BINARY);

    if (inputs < 0 || outputs < 0 || costs < 0)
        return 2;
    timer[RELOAD] = UINT32_MAX;
    timer[VALUE] = UINT32_MAX;
    timer[CONTROL] = 1;
    for (;;) {
        struct cost cost;

        for (unsigned i = 0; i < INPUTS; i++)
            if (semihosting_read(inputs, MODEL_INPUT(i), input_bytes[i]))
                return 0; /* no further input */
        cost = measured_run();
        for (unsigned i = 0; i < OUTPUTS; i++)
            if (semihosting_write(outputs, MODEL_OUTPUT(i), output_bytes[i]))
                return 3;
        if (semihosting_write(costs, &cost, sizeof cost))
            return 3;
    }
}
