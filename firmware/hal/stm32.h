/* What the STM32 families share: pins, the two generations of UART, bus prescalers. */
#ifndef STM32_H
#define STM32_H

#include "cortexm.h"

/* A UART, where it is and how it is reached. */
typedef struct {
    uint32_t base;
    uint32_t enable; /* address of the clock enable register in RCC */
    uint8_t enable_bit;
    uint8_t interrupt;
    uint8_t function;   /* alternate function of its pins */
    uint8_t shift;      /* BRR is the clock / baud, times 256 in an LPUART: shifted by 8 */
} stm32_uart;

#define STM32_USART(base, enable, bit, interrupt, function) { base, enable, bit, interrupt, function, 0 }
#define STM32_LPUART(base, enable, bit, interrupt, function) { base, enable, bit, interrupt, function, 8 }

/* Pins, clock, baud rate of the board's UART (tinynas_board.h), receiving by interrupt from now on.
 * `uart` must outlive the program; `clock_hz` is the UART's kernel clock. */
void stm32_start_uart(const stm32_uart *uart, uint32_t clock_hz);

/* A clock behind an APB prescaler field (3 bits) and behind an AHB one (4 bits). */
static inline uint32_t stm32_apb_hz(uint32_t hz, uint32_t field)
{
    return field & 4 ? hz >> ((field & 3) + 1) : hz;
}

static inline uint32_t stm32_ahb_hz(uint32_t hz, uint32_t field)
{
    uint32_t shift = (field & 7) + (field & 4 ? 2 : 1); /* 2, 4, 8, 16, then 64 to 512 */
    return field & 8 ? hz >> shift : hz;
}

#endif
