/* A bare RISC-V of 32 bits, for count_instructions.py alone: it begins as a Cortex-M does, with the two words at 0,
 * and a fault ends it.
 *
 * The emulator is asked by ECALL, the instruction that asks the environment. (Semihosting's own sequence has an EBREAK,
 * after which Unicorn does not go on.)
 */
#include "core.h"

extern uint32_t stack_top[];

void prepare_core(void)
{
}

int environment_call(int operation, const void *arguments)
{
    register int a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = arguments;

    __asm volatile("ecall" : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

uint32_t *stack_pointer(void)
{
    uint32_t *here;

    __asm volatile("mv %0, sp" : "=r"(here));
    return here;
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {(uintptr_t)stack_top, (uintptr_t)reset};
