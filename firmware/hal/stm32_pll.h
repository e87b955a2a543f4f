/* Clocks of the STM32F4 and F7, whose RCC, PLL and bus prescalers are the same (RM0402 and RM0385, chapter RCC).
 * The source is the internal 16 MHz oscillator: no board lacks it. It is within 1 % at room temperature, which a
 * UART bears; cycles are counted, so only a time in milliseconds carries that error. */
#ifndef STM32_PLL_H
#define STM32_PLL_H

#include "stm32.h"

#define RCC_CR REG(0x40023800)
#define RCC_PLLCFGR REG(0x40023804)
#define RCC_CFGR REG(0x40023808)
#define RCC_APB1ENR_ADDRESS 0x40023840u
#define RCC_APB2ENR_ADDRESS 0x40023844u
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_APB1ENR_PWREN BIT(28)
#define FLASH_ACR REG(0x40023C00)

#define HSI_HZ 16000000u
#define PLL_M 8u /* the 2 MHz that the manuals recommend against jitter */
#define SYSTEM_PLL 2u

/* UARTs at the same place in both families. */
#define USART1 STM32_USART(0x40011000, RCC_APB2ENR_ADDRESS, 4, 37, 7)
#define USART2 STM32_USART(0x40004400, RCC_APB1ENR_ADDRESS, 17, 38, 7)
#define USART3 STM32_USART(0x40004800, RCC_APB1ENR_ADDRESS, 18, 39, 7)
#define USART6 STM32_USART(0x40011400, RCC_APB2ENR_ADDRESS, 5, 71, 8)

/* HSI / 8 x n / 2. True once it is locked and may be switched to. */
static inline bool pll_start(uint32_t n, uint32_t q)
{
    RCC_PLLCFGR = PLL_M | n << 6 | q << 24 | 2u << 28; /* R at its reset value; F746 keeps it as reserved */
    RCC_CR |= RCC_CR_PLLON;
    return cortexm_await(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

/* Wait states and accelerators; true once the flash runs so, which must be before the clock rises. */
static inline bool flash_start(uint32_t wait_states, uint32_t accelerators)
{
    FLASH_ACR = accelerators | wait_states;
    return cortexm_await(&FLASH_ACR, 0xF, wait_states);
}

/* APB prescaler fields first, so that no bus is ever too fast. */
static inline void pll_switch(uint32_t ppre1, uint32_t ppre2)
{
    RCC_CFGR = ppre1 << 10 | ppre2 << 13;
    RCC_CFGR |= SYSTEM_PLL;
    (void)cortexm_await(&RCC_CFGR, 3u << 2, SYSTEM_PLL << 2);
}

static inline uint32_t pll_core_hz(void)
{
    uint32_t hz = HSI_HZ;
    if ((RCC_CFGR >> 2 & 3) == SYSTEM_PLL) {
        uint32_t pll = RCC_PLLCFGR;
        hz = HSI_HZ / (pll & 63) * (pll >> 6 & 511) / (2 * ((pll >> 16 & 3) + 1));
    }
    return stm32_ahb_hz(hz, RCC_CFGR >> 4 & 15);
}

/* The kernel clock of `uart`: its bus's. */
static inline uint32_t pll_uart_hz(const stm32_uart *uart)
{
    unsigned place = uart->enable == RCC_APB1ENR_ADDRESS ? 10 : 13;
    return stm32_apb_hz(pll_core_hz(), RCC_CFGR >> place & 7);
}

#endif
