/* What differs between instruction sets: arm/core.c and riscv/core.c. */
#ifndef CORE_H
#define CORE_H

#include <stdint.h>

/* From reset to main; the address lies at 4, the stack's top at 0, as a Cortex-M wants them. */
void reset(void);

/* What the core needs before any C of ours. */
void prepare_core(void);

/* Asks the emulator for `operation` of Arm's semihosting, whose `arguments` are words. */
int environment_call(int operation, const void *arguments);

/* The caller's: a function without a frame. */
uint32_t *stack_pointer(void);

#endif
