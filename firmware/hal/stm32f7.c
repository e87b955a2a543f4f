/* STM32F746 (RM0385) and STM32F767 (RM0410): 216 MHz from the internal oscillator. */
#include "hal.h"
#include "stm32_pll.h"
#include "tinynas_board.h"

#define PWR_CR1 REG(0x40007000)
#define PWR_CSR1 REG(0x40007004)
#define PWR_VOS_SCALE_1 (3u << 14)
#define PWR_OVERDRIVE BIT(16)        /* ODEN, and ODRDY in CSR1 */
#define PWR_OVERDRIVE_SWITCH BIT(17) /* ODSWEN, and ODSWRDY in CSR1 */
#define FLASH_PREFETCH BIT(8)
#define FLASH_ART BIT(9)
#define WAIT_STATES 7 /* at 216 MHz and 2.7 to 3.6 V */
#define PLL_N 216u    /* of the PLL's 2 MHz: 432 MHz in it, 216 MHz from it */
#define PLL_Q 9u      /* and the 48 MHz of USB */
#define APB_HALF 4u
#define APB_QUARTER 5u

static const stm32_uart uart = BOARD_UART;

/* Above 180 MHz the regulator must be in over-drive, which is entered with the PLL locked but not used. */
static bool overdrive_start(void)
{
    PWR_CR1 |= PWR_OVERDRIVE;
    if (!cortexm_await(&PWR_CSR1, PWR_OVERDRIVE, PWR_OVERDRIVE)) {
        return false;
    }
    PWR_CR1 |= PWR_OVERDRIVE_SWITCH;
    return cortexm_await(&PWR_CSR1, PWR_OVERDRIVE_SWITCH, PWR_OVERDRIVE_SWITCH);
}

static void clock_start(void)
{
    REG(RCC_APB1ENR_ADDRESS) |= RCC_APB1ENR_PWREN;
    (void)REG(RCC_APB1ENR_ADDRESS);
    PWR_CR1 |= PWR_VOS_SCALE_1; /* both bits; changes only while the PLL is off */
    if (pll_start(PLL_N, PLL_Q) && overdrive_start() && flash_start(WAIT_STATES, FLASH_PREFETCH | FLASH_ART)) {
        pll_switch(APB_QUARTER, APB_HALF); /* 54 and 108 MHz, the most the buses bear */
    }
}

void hal_start(void)
{
    clock_start();
    cortexm_start_counter();
    cortexm7_start_caches();
    stm32_start_uart(&uart, pll_uart_hz(&uart));
}

uint32_t hal_clock_hz(void)
{
    return pll_core_hz();
}

uint32_t hal_caches(void)
{
    return cortexm7_caches() | (FLASH_ACR & (FLASH_PREFETCH | FLASH_ART) ? 4u : 0u);
}
