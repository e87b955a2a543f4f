/* A bare Cortex-M. */
#include "core.h"

#include "semihosting.h"

extern uint32_t stack_top[];

void prepare_core(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: the floating-point unit is off after reset */
    __asm volatile("dsb\n isb");
}

int environment_call(int operation, const void *arguments)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;

    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

uint32_t *stack_pointer(void)
{
    uint32_t *here;

    __asm volatile("mov %0, sp" : "=r"(here));
    return here;
}

/* Any fault ends the program with a status of its own, so that it can be told from a wrong result. */
static void fault(void)
{
    semihosting_exit(99);
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
};
