/* What the firmware needs of a chip. One file a chip family implements it, from the reference manual, without a
 * vendor's framework; hal_arduino.cpp does on any board that Arduino supports. */
#ifndef HAL_H
#define HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clocks at full speed, flash wait states and prefetch, caches, FPU, cycle counter, UART. Called once, first. */
void hal_start(void);

/* The core's clock in Hz as the clock registers say it is now, not as it was meant to be. */
uint32_t hal_clock_hz(void);

/* Cycles of the core since some moment; wraps. */
uint32_t hal_cycles(void);

/* Bit 0: instruction cache on; bit 1: data cache on; bit 2: flash prefetch or accelerator on. */
uint32_t hal_caches(void);

/* The next byte received, or -1 if there is none. Never waits; bytes that arrive while the processor is busy are kept
 * (by interrupt or DMA) in a buffer of at least 256. */
int hal_read(void);

/* Returns when a byte may have come; the processor sleeps meanwhile. Never misses one that came before. Where a
 * framework has the loop (Arduino) nobody calls it, and it need not exist. */
void hal_idle(void);

/* Sends; waits until the last byte has left, so that a reset after this does not cut it. */
void hal_write(const uint8_t *bytes, size_t count);

/* Bytes of stack that were never used, by the pattern that start-up painted it with; 0 if unknown. */
uint32_t hal_stack_unused(void);
uint32_t hal_stack_size(void);

/* Starts the firmware again as after power-on. Does not return. */
void hal_reset(void);

#ifdef __cplusplus
}
#endif

#endif
