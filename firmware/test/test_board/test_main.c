/* What the firmware takes for granted of a board, checked on it: `pio test -e stm32f746_local`, or without _local on
 * the real one. The report is repeated for ever, since nobody knows when the port will be opened. */
#include <stdbool.h>
#include <string.h>

#include "golden.h"
#include "hal.h"
#include "model.h"

static void say(const char *text)
{
    hal_write((const uint8_t *)text, strlen(text));
}

static void say_number(uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    say(first);
}

static volatile uint32_t written = 0x1234ABCD; /* .data, copied from flash */
static volatile uint32_t zero[4];              /* .bss */

static bool variables_start_as_written(void)
{
    return written == 0x1234ABCD && !zero[0] && !zero[3];
}

static bool clock_is_at_full_speed(void)
{
    return hal_clock_hz() == F_CPU;
}

static bool instruction_cache_is_on(void)
{
    return hal_caches() & 1;
}

static bool cycles_are_counted(void)
{
    uint32_t start = hal_cycles();
    for (volatile int i = 0; i < 1000; i++) {
    }
    uint32_t taken = hal_cycles() - start;
    return taken > 1000 && taken < 100000;
}

static bool stack_is_painted(void)
{
    uint32_t unused = hal_stack_unused();
    return unused > 0 && unused < hal_stack_size();
}

static bool float_unit_is_on(void)
{
    volatile float two = 2.0f;
    return two * two == 4.0f;
}

static bool network_gives_golden_outputs(void)
{
    for (unsigned vector = 0; vector < golden_model.vectors; vector++) {
        const uint8_t *from = golden_asked + vector * golden_model.input_bytes;
        const uint8_t *wanted = golden_answers + vector * golden_model.output_bytes;
        for (unsigned i = 0; i < golden_model.inputs; i++) {
            memcpy(model_input(i), from, golden_inputs[i].bytes);
            from += golden_inputs[i].bytes;
        }
        model_invoke();
        for (unsigned i = 0; i < golden_model.outputs; i++) {
            if (memcmp(model_output(i), wanted, golden_outputs[i].bytes)) {
                return false;
            }
            wanted += golden_outputs[i].bytes;
        }
    }
    return true;
}

static const struct {
    const char *name;
    bool (*passes)(void);
} tests[] = {
    {"variables_start_as_written", variables_start_as_written},
    {"clock_is_at_full_speed", clock_is_at_full_speed},
    {"instruction_cache_is_on", instruction_cache_is_on},
    {"cycles_are_counted", cycles_are_counted},
    {"stack_is_painted", stack_is_painted},
    {"float_unit_is_on", float_unit_is_on},
    {"network_gives_golden_outputs", network_gives_golden_outputs},
};

#define TESTS (sizeof tests / sizeof tests[0])

int main(void)
{
    hal_start();
    for (;;) {
        say_number(TESTS);
        say(" tests\n");
        for (unsigned i = 0; i < TESTS; i++) {
            bool passed = tests[i].passes();
            say(tests[i].name);
            say(passed ? ": pass\n" : ": FAIL\n");
        }
        for (volatile uint32_t wait = hal_clock_hz() / 100; wait; wait--) { /* some tenth of a second */
        }
    }
}
