/* STM32F412 (RM0402): 100 MHz from the internal oscillator. */
#include "hal.h"
#include "stm32_pll.h"
#include "tinynas_board.h"

#define PWR_CR REG(0x40007000)
#define PWR_CSR REG(0x40007004)
#define PWR_CSR_VOSRDY BIT(14)
#define PWR_VOS_SCALE_1 (3u << 14) /* asked for above 84 MHz */
#define FLASH_PREFETCH BIT(8)
#define FLASH_INSTRUCTIONS BIT(9)
#define FLASH_DATA BIT(10)
#define WAIT_STATES 3 /* at 100 MHz and 2.7 to 3.6 V */
#define PLL_N 100u    /* of the PLL's 2 MHz: 200 MHz in it, 100 MHz from it */
#define PLL_Q 5u      /* and 40 MHz for USB, which must stay below 48 */
#define APB_WHOLE 0u
#define APB_HALF 4u

static const stm32_uart uart = BOARD_UART;

static void clock_start(void)
{
    REG(RCC_APB1ENR_ADDRESS) |= RCC_APB1ENR_PWREN;
    (void)REG(RCC_APB1ENR_ADDRESS);
    PWR_CR |= PWR_VOS_SCALE_1; /* both bits; takes effect when the PLL starts */
    if (pll_start(PLL_N, PLL_Q) && cortexm_await(&PWR_CSR, PWR_CSR_VOSRDY, PWR_CSR_VOSRDY) &&
        flash_start(WAIT_STATES, FLASH_PREFETCH | FLASH_INSTRUCTIONS | FLASH_DATA)) {
        pll_switch(APB_HALF, APB_WHOLE); /* 50 and 100 MHz, the most the buses bear */
    }
}

void hal_start(void)
{
    clock_start();
    cortexm_start_counter();
    stm32_start_uart(&uart, pll_uart_hz(&uart));
}

uint32_t hal_clock_hz(void)
{
    return pll_core_hz();
}

uint32_t hal_caches(void)
{
    uint32_t on = FLASH_ACR;
    return (on & FLASH_INSTRUCTIONS ? 1u : 0u) | (on & FLASH_DATA ? 2u : 0u) | (on & FLASH_PREFETCH ? 4u : 0u);
}
