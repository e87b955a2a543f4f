/* The Cortex-M core, the same in every chip here: start-up, vectors, painted stack, cycle counter, the caches of
 * the M7, and the ring that keeps received bytes. Registers: Armv7-M Architecture Reference Manual, chapter B3. */
#ifndef CORTEXM_H
#define CORTEXM_H

#include <stdbool.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BIT(number) (1u << (number))

/* Starts the cycle counter at zero. */
void cortexm_start_counter(void);

/* Cortex-M7 only: empties both caches, then turns them on. */
void cortexm7_start_caches(void);

/* Cortex-M7 only: bit 0 instruction cache, bit 1 data cache, as hal_caches() has it. */
uint32_t cortexm7_caches(void);

void cortexm_enable_interrupt(unsigned number);

/* Waits until the bits of `mask` read `value`. False if they never do: a clock that does not start must not
 * leave a board silent, so whoever waits goes on with the clock there is. */
bool cortexm_await(volatile uint32_t *reg, uint32_t mask, uint32_t value);

/* The chip's interrupt hands over a byte; one that finds the ring full is dropped, and the protocol notices. */
void cortexm_received(uint8_t byte);

/* Written by the chip file: every interrupt of a peripheral comes here, and only the UART's is ever enabled. */
void chip_interrupt(void);

#endif
