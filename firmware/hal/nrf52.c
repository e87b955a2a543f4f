/* nRF52840 (Product Specification v1.7): the core always runs at 64 MHz. The 32 MHz crystal, which every nRF52840
 * board has because the radio wants it, makes that exact; without it the internal oscillator goes on.
 * The UART is the one without DMA, at the same place as UARTE0: a byte at a time is what the ring wants. */
#include "cortexm.h"
#include "hal.h"
#include "tinynas_board.h"

#define CLOCK_TASKS_HFCLKSTART REG(0x40000000)
#define CLOCK_EVENTS_HFCLKSTARTED REG(0x40000100)
#define NVMC_ICACHECNF REG(0x4001E540)

#define UARTE0 0x40002000u /* the board file's name of it */
#define UART0 UARTE0
#define TASKS_STARTRX REG(BOARD_UART + 0x000)
#define TASKS_STARTTX REG(BOARD_UART + 0x008)
#define EVENTS_RXDRDY REG(BOARD_UART + 0x108)
#define EVENTS_TXDRDY REG(BOARD_UART + 0x11C)
#define INTENSET REG(BOARD_UART + 0x304)
#define ENABLE REG(BOARD_UART + 0x500)
#define PSELRTS REG(BOARD_UART + 0x508)
#define PSELTXD REG(BOARD_UART + 0x50C)
#define PSELCTS REG(BOARD_UART + 0x510)
#define PSELRXD REG(BOARD_UART + 0x514)
#define RXD REG(BOARD_UART + 0x518)
#define TXD REG(BOARD_UART + 0x51C)
#define BAUDRATE REG(BOARD_UART + 0x524)
#define CONFIG REG(BOARD_UART + 0x56C)
#define ENABLE_UART 4u
#define INTEN_RXDRDY BIT(2)
#define DISCONNECTED 0xFFFFFFFFu
#define INTERRUPT 2

#define GPIO(port) (0x50000000u + 0x300u * (port))
#define GPIO_OUTSET(port) REG(GPIO(port) + 0x508)
#define GPIO_DIRSET(port) REG(GPIO(port) + 0x518)
#define GPIO_PIN_CNF(port, pin) REG(GPIO(port) + 0x700 + 4u * (pin))
#define GPIO_INPUT_PULLED_UP 0xCu

#define CORE_HZ 64000000u

/* Baud x 2^32 / 16 MHz, to the next 4096: for 115200 the 0x01D7E000 of the specification's table. */
#define BAUD_FIELD ((uint32_t)((((uint64_t)BOARD_UART_BAUD << 32) / 16000000u + 0x800u) & ~0xFFFull))

static void clock_start(void)
{
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    (void)cortexm_await(&CLOCK_EVENTS_HFCLKSTARTED, 1, 1);
    NVMC_ICACHECNF = 1;
}

static void uart_start(void)
{
    GPIO_OUTSET(BOARD_UART_TX_PORT) = BIT(BOARD_UART_TX_PIN); /* idle before it is an output */
    GPIO_DIRSET(BOARD_UART_TX_PORT) = BIT(BOARD_UART_TX_PIN);
    GPIO_PIN_CNF(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN) = GPIO_INPUT_PULLED_UP;
    PSELRTS = DISCONNECTED;
    PSELCTS = DISCONNECTED;
    PSELTXD = BOARD_UART_TX_PORT << 5 | BOARD_UART_TX_PIN;
    PSELRXD = BOARD_UART_RX_PORT << 5 | BOARD_UART_RX_PIN;
    BAUDRATE = BAUD_FIELD;
    CONFIG = 0; /* 8N1, no flow control */
    ENABLE = ENABLE_UART;
    EVENTS_RXDRDY = 0;
    EVENTS_TXDRDY = 0;
    INTENSET = INTEN_RXDRDY;
    cortexm_enable_interrupt(INTERRUPT);
    TASKS_STARTRX = 1;
    TASKS_STARTTX = 1;
}

void hal_start(void)
{
    clock_start();
    cortexm_start_counter();
    uart_start();
}

/* One event a byte: the next of the six that the UART keeps raises it again. */
void chip_interrupt(void)
{
    if (EVENTS_RXDRDY) {
        EVENTS_RXDRDY = 0;
        cortexm_received((uint8_t)RXD);
    }
}

void hal_write(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        EVENTS_TXDRDY = 0;
        TXD = bytes[i];
        while (!EVENTS_TXDRDY) {
        }
    }
}

uint32_t hal_clock_hz(void)
{
    return CORE_HZ; /* no register could say otherwise: the core has one clock */
}

uint32_t hal_caches(void)
{
    return NVMC_ICACHECNF & 1;
}
