/* STM32L4R5 (RM0432): 120 MHz from the internal 16 MHz oscillator, which is within 1 %: enough for a UART, and
 * cycles are counted, so only a time in milliseconds carries that error. */
#include "hal.h"
#include "stm32.h"
#include "tinynas_board.h"

#define RCC_CR REG(0x40021000)
#define RCC_CFGR REG(0x40021008)
#define RCC_PLLCFGR REG(0x4002100C)
#define RCC_APB1ENR1_ADDRESS 0x40021058u
#define RCC_APB1ENR2_ADDRESS 0x4002105Cu
#define RCC_APB2ENR_ADDRESS 0x40021060u
#define RCC_APB1ENR1_PWREN BIT(28)
#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define PWR_CR2 REG(0x40007004)
#define PWR_SR2 REG(0x40007014)
#define PWR_CR5 REG(0x40007080)
#define PWR_CR2_IOSV BIT(9) /* the supply of PG2 to PG15 is there */
#define PWR_SR2_VOSF BIT(10)
#define PWR_CR5_NOT_BOOST BIT(8)
#define FLASH_ACR REG(0x40022000)
#define FLASH_PREFETCH BIT(8)
#define FLASH_INSTRUCTIONS BIT(9)
#define FLASH_DATA BIT(10)
#define WAIT_STATES 5u /* at 120 MHz in range 1 boost */

#define HSI_HZ 16000000u
#define MSI_RESET_HZ 4000000u
#define PLL_M 4u /* 4 MHz into the PLL, 240 MHz in it, 120 MHz from it */
#define PLL_N 60u
#define PLL_SOURCE_HSI 2u
#define PLL_R_ON BIT(24)
#define SYSTEM_PLL 3u
#define SYSTEM_HSI 1u
#define HALF 8u /* AHB prescaler field */

#define USART1 STM32_USART(0x40013800, RCC_APB2ENR_ADDRESS, 14, 37, 7)
#define USART2 STM32_USART(0x40004400, RCC_APB1ENR1_ADDRESS, 17, 38, 7)
#define USART3 STM32_USART(0x40004800, RCC_APB1ENR1_ADDRESS, 18, 39, 7)
#define LPUART1 STM32_LPUART(0x40008000, RCC_APB1ENR2_ADDRESS, 0, 70, 8)

static const stm32_uart uart = BOARD_UART;

static bool boost_start(void)
{
    REG(RCC_APB1ENR1_ADDRESS) |= RCC_APB1ENR1_PWREN;
    (void)REG(RCC_APB1ENR1_ADDRESS);
    PWR_CR2 |= PWR_CR2_IOSV; /* LPUART1 of the Nucleo board is on PG7 and PG8 */
    PWR_CR5 &= ~PWR_CR5_NOT_BOOST;
    return cortexm_await(&PWR_SR2, PWR_SR2_VOSF, 0);
}

static bool pll_start(void)
{
    RCC_CR |= RCC_CR_HSION;
    if (!cortexm_await(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY)) {
        return false;
    }
    RCC_PLLCFGR = PLL_SOURCE_HSI | (PLL_M - 1) << 4 | PLL_N << 8 | PLL_R_ON; /* R divides by two */
    RCC_CR |= RCC_CR_PLLON;
    return cortexm_await(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
}

static bool flash_start(void)
{
    FLASH_ACR = FLASH_PREFETCH | FLASH_INSTRUCTIONS | FLASH_DATA | WAIT_STATES;
    return cortexm_await(&FLASH_ACR, 0xF, WAIT_STATES);
}

/* Above 80 MHz the bus must rise in two steps, a microsecond apart (RM0432, dynamic voltage scaling). */
static void clock_start(void)
{
    if (!boost_start() || !pll_start() || !flash_start()) {
        return;
    }
    RCC_CFGR = HALF << 4;
    RCC_CFGR |= SYSTEM_PLL;
    if (!cortexm_await(&RCC_CFGR, 3u << 2, SYSTEM_PLL << 2)) {
        return;
    }
    for (volatile int wait = 0; wait < 60; wait++) { /* at least a cycle each of 60 MHz */
    }
    RCC_CFGR &= ~(15u << 4);
}

uint32_t hal_clock_hz(void)
{
    uint32_t source = RCC_CFGR >> 2 & 3;
    uint32_t hz = source == SYSTEM_HSI ? HSI_HZ : MSI_RESET_HZ;
    if (source == SYSTEM_PLL) {
        uint32_t pll = RCC_PLLCFGR;
        hz = HSI_HZ / ((pll >> 4 & 15) + 1) * (pll >> 8 & 127) / (2 * ((pll >> 25 & 3) + 1));
    }
    return stm32_ahb_hz(hz, RCC_CFGR >> 4 & 15);
}

static uint32_t uart_hz(void)
{
    unsigned place = uart.enable == RCC_APB2ENR_ADDRESS ? 11 : 8;
    return stm32_apb_hz(hal_clock_hz(), RCC_CFGR >> place & 7);
}

void hal_start(void)
{
    clock_start();
    cortexm_start_counter();
    stm32_start_uart(&uart, uart_hz());
}

uint32_t hal_caches(void)
{
    uint32_t on = FLASH_ACR;
    return (on & FLASH_INSTRUCTIONS ? 1u : 0u) | (on & FLASH_DATA ? 2u : 0u) | (on & FLASH_PREFETCH ? 4u : 0u);
}
