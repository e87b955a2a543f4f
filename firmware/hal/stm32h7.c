/* STM32H743 (RM0433): 480 MHz from the internal 64 MHz oscillator; 400 MHz in silicon before revision V. The
 * oscillator is within 1 % at room temperature, which a UART bears; cycles are counted, so only a time in
 * milliseconds carries that error. Assumes that the core is fed by the LDO, as on ST's boards. */
#include "hal.h"
#include "stm32.h"
#include "tinynas_board.h"

#define RCC_CR REG(0x58024400)
#define RCC_CFGR REG(0x58024410)
#define RCC_D1CFGR REG(0x58024418)
#define RCC_D2CFGR REG(0x5802441C)
#define RCC_D3CFGR REG(0x58024420)
#define RCC_PLLCKSELR REG(0x58024428)
#define RCC_PLLCFGR REG(0x5802442C)
#define RCC_PLL1DIVR REG(0x58024430)
#define RCC_APB1LENR_ADDRESS 0x580244E8u
#define RCC_APB2ENR_ADDRESS 0x580244F0u
#define RCC_APB4ENR REG(0x580244F4)
#define RCC_APB4ENR_SYSCFGEN BIT(1)
#define RCC_CR_PLL1ON BIT(24)
#define RCC_CR_PLL1RDY BIT(25)
#define PWR_CSR1 REG(0x58024804)
#define PWR_CR3 REG(0x5802480C)
#define PWR_D3CR REG(0x58024818)
#define PWR_READY BIT(13) /* ACTVOSRDY in CSR1, VOSRDY in D3CR */
#define PWR_VOS_SCALE_1 (3u << 14)
#define SYSCFG_PWRCR REG(0x5800042C)
#define SYSCFG_OVERDRIVE BIT(0)
#define FLASH_ACR REG(0x52002000)
#define DBGMCU_IDC REG(0x5C001000)

#define HSI_HZ 64000000u
#define PLL_M 16u             /* 4 MHz into the PLL */
#define PLL_N 240u            /* 960 MHz in it, 480 MHz from it; before revision V 800 and 400 */
#define PLL_N_FIRST 200u
#define PLL_RANGE_4_TO_8 2u   /* of that input; wide VCO, up to 960 MHz */
#define SYSTEM_PLL 3u
#define HALF 8u               /* AHB prescaler field */
#define APB_HALF 4u
#define FLASH_240_MHZ 0x24u   /* 4 wait states, WRHIGHFREQ 2: right for scale 0, on the safe side for 200 MHz */

#define USART1 STM32_USART(0x40011000, RCC_APB2ENR_ADDRESS, 4, 37, 7)
#define USART2 STM32_USART(0x40004400, RCC_APB1LENR_ADDRESS, 17, 38, 7)
#define USART3 STM32_USART(0x40004800, RCC_APB1LENR_ADDRESS, 18, 39, 7)
#define USART6 STM32_USART(0x40011400, RCC_APB2ENR_ADDRESS, 5, 71, 7)

static const stm32_uart uart = BOARD_UART;

/* Revisions Z and Y have no voltage scale 0. */
static bool is_first_silicon(void)
{
    uint32_t revision = DBGMCU_IDC >> 16;
    return revision == 0x1001 || revision == 0x1003;
}

/* The supply is written once after power-on, before the voltage may change (RM0433, system supply start-up). */
static bool voltage_start(bool scale_0)
{
    PWR_CR3 = (PWR_CR3 & ~0xFFu) | BIT(1); /* LDOEN alone */
    if (!cortexm_await(&PWR_CSR1, PWR_READY, PWR_READY)) {
        return false;
    }
    PWR_D3CR |= PWR_VOS_SCALE_1;
    if (!cortexm_await(&PWR_D3CR, PWR_READY, PWR_READY)) {
        return false;
    }
    if (!scale_0) {
        return true;
    }
    RCC_APB4ENR |= RCC_APB4ENR_SYSCFGEN;
    (void)RCC_APB4ENR;
    SYSCFG_PWRCR |= SYSCFG_OVERDRIVE;
    return cortexm_await(&PWR_D3CR, PWR_READY, PWR_READY);
}

/* HSI / 16 x n / 2. */
static bool pll_start(uint32_t n)
{
    RCC_PLLCKSELR = (RCC_PLLCKSELR & ~(0x3F3u)) | PLL_M << 4; /* source 0: HSI */
    RCC_PLLCFGR = (RCC_PLLCFGR & ~0xFu & ~(7u << 16)) | PLL_RANGE_4_TO_8 << 2 | BIT(16); /* output P alone */
    RCC_PLL1DIVR = (n - 1) | (2 - 1) << 9 | (2 - 1) << 16 | (2 - 1) << 24;
    RCC_CR |= RCC_CR_PLL1ON;
    return cortexm_await(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY);
}

static bool flash_start(void)
{
    FLASH_ACR = FLASH_240_MHZ;
    return cortexm_await(&FLASH_ACR, 0x3F, FLASH_240_MHZ);
}

static void clock_start(void)
{
    bool first = is_first_silicon();
    if (!voltage_start(!first) || !pll_start(first ? PLL_N_FIRST : PLL_N) || !flash_start()) {
        return;
    }
    RCC_D1CFGR = HALF | APB_HALF << 4; /* core whole; AXI, AHB and flash a half, APB a quarter */
    RCC_D2CFGR = APB_HALF << 4 | APB_HALF << 8;
    RCC_D3CFGR = APB_HALF << 4;
    RCC_CFGR = (RCC_CFGR & ~7u) | SYSTEM_PLL;
    (void)cortexm_await(&RCC_CFGR, 7u << 3, SYSTEM_PLL << 3);
}

uint32_t hal_clock_hz(void)
{
    uint32_t hz = HSI_HZ >> (RCC_CR >> 3 & 3);
    if ((RCC_CFGR >> 3 & 7) == SYSTEM_PLL) {
        uint32_t dividers = RCC_PLL1DIVR;
        hz = hz / (RCC_PLLCKSELR >> 4 & 63) * ((dividers & 511) + 1) / ((dividers >> 9 & 127) + 1);
    }
    return stm32_ahb_hz(hz, RCC_D1CFGR >> 8 & 15);
}

static uint32_t uart_hz(void)
{
    unsigned place = uart.enable == RCC_APB1LENR_ADDRESS ? 4 : 8;
    return stm32_apb_hz(stm32_ahb_hz(hal_clock_hz(), RCC_D1CFGR & 15), RCC_D2CFGR >> place & 7);
}

void hal_start(void)
{
    clock_start();
    cortexm_start_counter();
    cortexm7_start_caches();
    stm32_start_uart(&uart, uart_hz());
}

/* The flash interface has no prefetch of its own: the caches of the core do all. */
uint32_t hal_caches(void)
{
    return cortexm7_caches();
}
