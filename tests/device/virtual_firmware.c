/* A small firmware for the tests of the virtual board: starts an STM32 by its own registers, answers single letters.
 *
 * -DCHIP=746, 412, 743 or 405 (the L4R5). Upper-case letters are commands, the rest comes back. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define WAIT_UNTIL(condition) \
    while (!(condition)) {    \
    }

#if CHIP == 746
#define RCC 0x40023800u
#define GATE_REGISTER REG(RCC + 0x44)
#define GATE_BIT 4
#define UART 0x40011000u
#define UART_IRQ 37
#elif CHIP == 412
#define RCC 0x40023800u
#define GATE_REGISTER REG(RCC + 0x40)
#define GATE_BIT 18
#define UART 0x40004800u
#define UART_IRQ 39
#elif CHIP == 743
#define RCC 0x58024400u
#define GATE_REGISTER REG(RCC + 0xE8)
#define GATE_BIT 18
#define UART 0x40004800u
#define UART_IRQ 39
#elif CHIP == 405
#define RCC 0x40021000u
#define GATE_REGISTER REG(RCC + 0x5C)
#define GATE_BIT 0
#define UART 0x40008000u
#define UART_IRQ 70
#endif

#if CHIP == 412
#define UART_STATUS REG(UART + 0x00)
#define UART_TX REG(UART + 0x04)
#define UART_RX REG(UART + 0x04)
#define UART_RATE REG(UART + 0x08)
#define UART_CONTROL REG(UART + 0x0C)
#define UART_ON (1u << 13)
#else
#define UART_STATUS REG(UART + 0x1C)
#define UART_TX REG(UART + 0x28)
#define UART_RX REG(UART + 0x24)
#define UART_RATE REG(UART + 0x0C)
#define UART_CONTROL REG(UART + 0x00)
#define UART_ON 1u
#endif

#define CYCCNT REG(0xE0001004)
#define SYST(offset) REG(0xE000E010 + (offset))

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[], stack_top[];

static volatile uint8_t ring[256];
static volatile uint32_t head, tail, ticks;
static volatile uint32_t initialised = 0x12345678, zeroed;
static volatile int32_t numbers[64];

static void put(uint8_t byte)
{
    WAIT_UNTIL(UART_STATUS >> 7 & 1)
    UART_TX = byte;
}

static void put_number(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
    put('\n');
}

void uart_handler(void)
{
    if (UART_STATUS >> 5 & 1)
        ring[head++ % 256] = (uint8_t)UART_RX;
}

void tick_handler(void) { ticks++; }

static volatile uint32_t calls;
void call_handler(void) { calls++; }

static uint8_t get(void)
{
#ifdef POLLING
    while (head == tail) {
    }
#else
    while (head == tail)
        __asm volatile("wfi");
#endif
    return ring[tail++ % 256];
}

static void start(void)
{
    REG(RCC) |= 1u << 16; /* the crystal */
    WAIT_UNTIL(REG(RCC) >> 17 & 1)
#if CHIP == 746 || CHIP == 743
    REG(0xE000EF50) = 0;
    REG(0xE000ED14) |= 3u << 16;
    REG(0xE0001FB0) = 0xC5ACCE55;
#endif
    REG(0xE000EDFC) |= 1u << 24;
    CYCCNT = 0;
    REG(0xE0001000) |= 1;
    GATE_REGISTER |= 1u << GATE_BIT;
    (void)GATE_REGISTER;
    UART_RATE = CHIP == 405 ? 8889 : 139;
    UART_CONTROL = UART_ON | 1u << 5 | 1u << 3 | 1u << 2;
    REG(0xE000E100 + UART_IRQ / 32 * 4) = 1u << UART_IRQ % 32;
}

static uint32_t work(uint32_t rounds)
{
    int32_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t i = 0; i < 64; i++)
            sum += numbers[i] * (int32_t)(round + i);
    return (uint32_t)sum;
}

#pragma GCC diagnostic ignored "-Winfinite-recursion"
#ifdef BUSY
/* What an int8 kernel does: four products of a word of weights and one of inputs. */
static uint32_t products(const uint32_t *weights, const uint32_t *inputs, int words)
{
    uint32_t sum = 0, even, odd, left, right;
    while (words--)
        __asm volatile("ldr %1, [%5], #4\n ldr %3, [%6], #4\n sxtb16 %2, %1, ror #8\n sxtb16 %1, %1\n"
                       "sxtb16 %4, %3, ror #8\n sxtb16 %3, %3\n smlad %0, %1, %3, %0\n smlad %0, %2, %4, %0"
                       : "+r"(sum), "=&r"(even), "=&r"(odd), "=&r"(left), "=&r"(right), "+r"(weights),
                         "+r"(inputs)
                       :
                       : "memory");
    return sum;
}
#endif

static uint32_t deeper(uint32_t depth)
{
    volatile uint32_t room[64];
    room[depth % 64] = depth;
    return deeper(depth + 1) + room[depth % 64];
}

static void command(uint8_t letter)
{
    if (letter == 'C') { /* cycles of a loop */
        uint32_t before = CYCCNT;
        work(100);
        put_number(CYCCNT - before);
    } else if (letter == 'I') {
        put_number(initialised);
        put_number(zeroed);
    } else if (letter == 'F') {
        volatile float three = 3.0f;
        put_number((uint32_t)(three * 1.5f * 100));
    } else if (letter == 'D') { /* a second of SysTick at 1 kHz of 16 MHz, asleep */
        uint32_t first = ticks;
        SYST(4) = 15999;
        SYST(8) = 0;
        SYST(0) = 7;
        while (ticks - first < 20)
            __asm volatile("wfi");
        SYST(0) = 0;
        put_number(ticks - first);
    } else if (letter == 'E') { /* the same behind a mask; cycles awake */
        uint32_t first = ticks;
        SYST(4) = 15999;
        SYST(8) = 0;
        SYST(0) = 7;
        uint32_t before = CYCCNT;
        while (ticks - first < 20)
            __asm volatile("cpsid i\n wfi\n cpsie i\n isb" ::: "memory");
        SYST(0) = 0;
        put_number(CYCCNT - before);
        put_number(ticks - first);
    } else if (letter == 'Z') { /* sleeps with every interrupt off */
        REG(0xE000E180 + UART_IRQ / 32 * 4) = 1u << UART_IRQ % 32;
        __asm volatile("wfi");
        put(letter);
    } else if (letter == 'G') { /* a long loop whose only state is a floating-point register */
        float far = 0, one = 1;
        __asm volatile("cpsid i\n 1: vadd.f32 %0, %0, %1\n vcmp.f32 %0, %2\n vmrs APSR_nzcv, fpscr\n bmi 1b\n cpsie i"
                       : "+t"(far)
                       : "t"(one), "t"(3000000.0f)
                       : "cc");
        put_number((uint32_t)far);
    } else if (letter == 'V') {
        __asm volatile("svc 0");
        put_number(calls);
    } else if (letter == 'R')
        REG(0xE000ED0C) = 0x05FA0004;
    else if (letter == 'N')
        put((uint8_t)REG(0x60000000));
    else if (letter == 'W')
        REG(0x08000000) = 0;
    else if (letter == 'J')
        ((void (*)(void))0x90000001)();
    else if (letter == 'A')
        ((void (*)(void))0x08000100)();
    else if (letter == 'U')
        __asm volatile("udf #0");
    else if (letter == 'S')
        deeper(0);
    else if (letter == 'B')
        __asm volatile("bkpt #0");
    else if (letter == 'L') {
        __asm volatile("cpsid i");
        for (;;) {
        }
    } else if (letter == 'M') { /* waits for the second PLL, which was never started */
        __asm volatile("cpsid i");
        WAIT_UNTIL(REG(RCC) >> 27 & 1)
    } else
        put(letter);
}

__attribute__((used, noinline)) static void run(void)
{
    uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    start();
    for (const char *text = "ready\n"; *text; text++)
        put((uint8_t)*text);
#ifdef BUSY /* for benchmarks/virtual_speed.py */
    for (;;)
        zeroed += 1 + products((const uint32_t *)0x08000000, (const uint32_t *)numbers, 16);
#endif
    for (;;)
        command(get());
}

/* The compiler may save floating-point registers on entry of run(), so the unit is switched on before. */
void reset(void)
{
#ifndef NO_FPU
    REG(0xE000ED88) |= 0xFu << 20;
    __asm volatile("dsb\n isb");
#endif
    run();
}

void unexpected(void)
{
    for (;;) {
    }
}

#define V(handler) (uintptr_t)(handler)
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16 + 72] = {
    V(stack_top), V(reset), V(unexpected), V(unexpected), V(unexpected), V(unexpected), V(unexpected), 0, 0, 0, 0,
    V(call_handler), V(unexpected), 0, V(unexpected), V(tick_handler), [16 + UART_IRQ] = V(uart_handler),
};
