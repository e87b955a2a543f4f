/* Two tasks on process stacks, switched by PendSV from SysTick, both with floating point: what a small operating
 * system asks of a Cortex-M. Prints the turns of each and whether its registers survived; for STM32F746. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define UART 0x40011000u

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[], stack_top[];

typedef struct {
    uint32_t *stack;
} task;

static task tasks[2];
static uint32_t stacks[2][256];
static volatile uint32_t running, ticks, turns[2], wrong;
task *volatile current = &tasks[0];

static void put(char byte)
{
    while (!(REG(UART + 0x1C) >> 7 & 1)) {
    }
    REG(UART + 0x28) = (uint8_t)byte;
}

static void body(uint32_t self)
{
    float sum = 0, step = (float)(self + 1);
    uint32_t rounds = 0;
    for (;;) {
        for (int i = 0; i < 1000; i++)
            sum += step;
        if (sum != step * 1000)
            wrong++;
        sum = 0;
        turns[self]++;
        rounds++;
        if (rounds != turns[self])
            wrong++;
    }
}

static void first(void) { body(0); }
static void second(void) { body(1); }

/* The one that prints, in thread mode on the main stack's handler: every hundredth tick. */
void tick_handler(void)
{
    ticks++;
    if (ticks == 60) {
        put(turns[0] > 5 ? '+' : '-');
        put(turns[1] > 5 ? '+' : '-');
        put(wrong ? '!' : '.');
        put('\n');
        __asm volatile("udf #0");
    }
    REG(0xE000ED04) = 1u << 28;
}

void choose(void)
{
    running ^= 1;
    current = &tasks[running];
}

__attribute__((naked)) void switch_handler(void)
{
    __asm volatile("mrs r0, psp\n"
                   "tst lr, #0x10\n"
                   "it eq\n"
                   "vstmdbeq r0!, {s16-s31}\n"
                   "stmdb r0!, {r4-r11, lr}\n"
                   "ldr r1, =current\n"
                   "ldr r2, [r1]\n"
                   "str r0, [r2]\n"
                   "push {r1, lr}\n"
                   "bl choose\n"
                   "pop {r1, lr}\n"
                   "ldr r2, [r1]\n"
                   "ldr r0, [r2]\n"
                   "ldmia r0!, {r4-r11, lr}\n"
                   "tst lr, #0x10\n"
                   "it eq\n"
                   "vldmiaeq r0!, {s16-s31}\n"
                   "msr psp, r0\n"
                   "isb\n"
                   "bx lr\n");
}

static void prepare(task *made, uint32_t *stack, void (*entry)(void))
{
    uint32_t *top = stack + 256;
    *--top = 0x01000000;
    *--top = (uint32_t)(uintptr_t)entry & ~1u;
    *--top = 0xFFFFFFFF;
    for (int i = 0; i < 5; i++)
        *--top = 0;
    *--top = 0xFFFFFFFD;
    for (int i = 0; i < 8; i++)
        *--top = 0;
    made->stack = top;
}

__attribute__((used, noinline)) static void run(void)
{
    uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    current = &tasks[0];
    REG(0x40023844) |= 1u << 4;
    REG(UART + 0x0C) = 139;
    REG(UART) = 1u | 1u << 3;
    prepare(&tasks[1], stacks[1], second);
    REG(0xE000ED20) = 0xFFu << 16; /* PendSV comes last */
    REG(0xE000E014) = 19999;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 7;
    __asm volatile("msr psp, %0\n mov r0, #2\n msr control, r0\n isb\n" ::"r"(stacks[0] + 256) : "r0");
    first();
}

void reset(void)
{
    REG(0xE000ED88) |= 0xFu << 20;
    __asm volatile("dsb\n isb");
    run();
}

void unexpected(void)
{
    for (;;) {
    }
}

#define V(handler) (uintptr_t)(handler)
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    V(stack_top), V(reset), V(unexpected), V(unexpected), V(unexpected), V(unexpected), V(unexpected), 0, 0, 0, 0,
    V(unexpected), V(unexpected), 0, V(switch_handler), V(tick_handler),
};
