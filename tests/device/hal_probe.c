/* Asks hal.h everything once at start and on '?', echoes other bytes, restarts on '!', overflows its stack on '^'. */
#include "hal.h"

static volatile uint32_t written = 0x1234ABCD; /* .data */
static volatile uint32_t zero;                 /* .bss */
static volatile uint8_t arena[512];

static void say(char name, uint32_t number)
{
    uint8_t text[11] = {(uint8_t)name, '='};
    for (int digit = 0; digit < 8; digit++) {
        text[2 + digit] = (uint8_t)"0123456789abcdef"[number >> (28 - 4 * digit) & 15];
    }
    text[10] = '\n';
    hal_write(text, sizeof text);
}

static void report(void)
{
    uint32_t start = hal_cycles();
    for (volatile int i = 0; i < 100; i++) {
    }
    say('t', hal_cycles() - start);
    say('c', hal_clock_hz());
    say('k', hal_caches());
    say('u', hal_stack_unused());
    say('s', hal_stack_size());
    say('w', written);
    say('z', zero + arena[7]);
    say('.', 0);
    written = 7; /* so that a restart must copy it again, and zero this */
    arena[written & 511] = 9;
}

static unsigned deeper(unsigned depth)
{
    volatile unsigned here[64];
    here[depth & 63] = depth;
    return depth > 1000000 ? 0 : deeper(depth + 1) + here[depth & 63];
}

int main(void)
{
    hal_start();
    report();
    for (;;) {
        int byte = hal_read();
        uint8_t echo = (uint8_t)byte;
        if (byte == '?') {
            report();
        } else if (byte == '!') {
            hal_reset();
        } else if (byte == '^') {
            zero = deeper(zero);
        } else if (byte >= 0) {
            hal_write(&echo, 1);
        }
    }
}
