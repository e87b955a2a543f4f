#include "cortexm.h"

#include "hal.h"

#define VTOR REG(0xE000ED08)
#define AIRCR REG(0xE000ED0C)
#define CCR REG(0xE000ED14)
#define CCSIDR REG(0xE000ED80)
#define CSSELR REG(0xE000ED84)
#define CPACR REG(0xE000ED88)
#define ICIALLU REG(0xE000EF50)
#define DCISW REG(0xE000EF60)
#define DEMCR REG(0xE000EDFC)
#define DWT_CTRL REG(0xE0001000)
#define DWT_CYCCNT REG(0xE0001004)
#define DWT_LAR REG(0xE0001FB0)
#define NVIC_ISER(word) REG(0xE000E100 + 4u * (word))

#define CCR_DATA_CACHE BIT(16)
#define CCR_INSTRUCTION_CACHE BIT(17)

#define PAINT 0x5AFE57ACu
#define RING 256u /* a power of two */
#define EXCEPTIONS 16
#define INTERRUPTS 150 /* as many as the STM32H743 has, the most of all */

/* From the linker script; only their addresses mean anything. */
extern uint32_t _sidata[], _sdata[], _edata[], _sbss[], _ebss[], _sstack[], _estack[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);

static volatile uint8_t ring[RING];
static volatile uint32_t ring_in, ring_out; /* never wrapped; their difference is what is waiting */

static inline void barrier(void)
{
    __asm volatile("dsb\n\tisb" ::: "memory");
}

/* ---- start-up */

typedef union {
    void (*handler)(void);
    uint32_t *stack;
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[EXCEPTIONS + INTERRUPTS] = {
    [0].stack = _estack,
    [1].handler = Reset_Handler,
    [2 ... EXCEPTIONS - 1].handler = Fault_Handler, /* nothing here uses SVC, PendSV or SysTick */
    [EXCEPTIONS ... EXCEPTIONS + INTERRUPTS - 1].handler = chip_interrupt,
};

/* A place to find the processor at after a fault, by a debugger or the virtual board. */
void Fault_Handler(void)
{
    for (;;) {
    }
}

static void paint_stack(void)
{
    uint32_t *top;
    __asm volatile("mov %0, sp" : "=r"(top));
    for (volatile uint32_t *word = _sstack; word < top; word++) {
        *word = PAINT;
    }
}

/* Apart from Reset_Handler, so that no floating-point register is touched before the unit is on. */
__attribute__((noinline)) static void start(void)
{
    paint_stack();
    for (uint32_t *from = _sidata, *to = _sdata; to < _edata;) {
        *to++ = *from++;
    }
    for (uint32_t *word = _sbss; word < _ebss;) {
        *word++ = 0;
    }
    main();
    Fault_Handler();
}

void Reset_Handler(void)
{
    VTOR = (uint32_t)(uintptr_t)vectors; /* a boot loader or STM32F7's alias may have left another */
    CPACR |= 0xFu << 20;                 /* full access to the floating-point unit */
    barrier();
    start();
}

/* ---- core */

void cortexm_start_counter(void)
{
    DEMCR |= BIT(24);     /* TRCENA */
    DWT_LAR = 0xC5ACCE55; /* the M7 has this lock, the M4 ignores it */
    DWT_CYCCNT = 0;
    DWT_CTRL |= BIT(0);
}

static void invalidate_data_cache(void)
{
    CSSELR = 0; /* level 1, data */
    barrier();
    uint32_t geometry = CCSIDR;
    uint32_t sets = (geometry >> 13 & 0x7FFF) + 1;
    uint32_t ways = (geometry >> 3 & 0x3FF) + 1;
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < ways; way++) {
            DCISW = way << 30 | set << 5; /* four ways, lines of 32 bytes in every M7 */
        }
    }
}

void cortexm7_start_caches(void)
{
    barrier();
    ICIALLU = 0;
    barrier();
    CCR |= CCR_INSTRUCTION_CACHE;
    barrier();
    invalidate_data_cache();
    barrier();
    CCR |= CCR_DATA_CACHE;
    barrier();
}

uint32_t cortexm7_caches(void)
{
    uint32_t on = CCR;
    return (on & CCR_INSTRUCTION_CACHE ? 1u : 0u) | (on & CCR_DATA_CACHE ? 2u : 0u);
}

void cortexm_enable_interrupt(unsigned number)
{
    NVIC_ISER(number / 32) = BIT(number % 32);
}

bool cortexm_await(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t tries = 200000; tries; tries--) {
        if ((*reg & mask) == value) {
            return true;
        }
    }
    return false;
}

void cortexm_received(uint8_t byte)
{
    if (ring_in - ring_out < RING) {
        ring[ring_in % RING] = byte;
        ring_in++;
    }
}

/* ---- what hal.h promises and every core keeps the same way */

int hal_read(void)
{
    if (ring_in == ring_out) {
        return -1;
    }
    uint8_t byte = ring[ring_out % RING];
    ring_out++;
    return byte;
}

/* Sleeps until an interrupt: a byte's is the only one there is. Interrupts are masked from the look at the ring to the
 * sleep, so that none comes in between and is slept through; one that waits behind the mask ends the sleep all the
 * same (Armv7-M manual, WFI), and its handler runs when the mask goes. Polling from SysTick would wake a thousand
 * times a second and still be late for a second byte at 115,200 baud. */
void hal_idle(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (ring_in == ring_out) {
        __asm volatile("dsb\n\twfi" ::: "memory");
    }
    __asm volatile("cpsie i\n\tisb" ::: "memory");
}

uint32_t hal_cycles(void)
{
    return DWT_CYCCNT;
}

uint32_t hal_stack_size(void)
{
    return (uint32_t)((uintptr_t)_estack - (uintptr_t)_sstack);
}

uint32_t hal_stack_unused(void)
{
    const volatile uint32_t *word = _sstack;
    while (word < _estack && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)word - (uintptr_t)_sstack);
}

void hal_reset(void)
{
    barrier();
    AIRCR = 0x05FA0004; /* SYSRESETREQ */
    barrier();
    for (;;) {
    }
}
