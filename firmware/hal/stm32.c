#include "stm32.h"

#include "hal.h"
#include "tinynas_board.h"

#if defined(STM32F4) || defined(STM32F7)
#define GPIO 0x40020000u
#define GPIO_ENABLE REG(0x40023830) /* RCC_AHB1ENR */
#elif defined(STM32H7)
#define GPIO 0x58020000u
#define GPIO_ENABLE REG(0x580244E0) /* RCC_AHB4ENR */
#elif defined(STM32L4)
#define GPIO 0x48000000u
#define GPIO_ENABLE REG(0x4002104C) /* RCC_AHB2ENR */
#else
#error "this STM32 family has no pins here yet"
#endif

#if defined(STM32F4) /* the first generation: one data register, flags cleared by reading */
#define STATUS 0x00
#define RECEIVED 0x04
#define TRANSMIT 0x04
#define DIVIDER 0x08
#define CONTROL 0x0C
#define CONTROL_ON BIT(13)
#else
#define CONTROL 0x00
#define CONTROL_ON BIT(0)
#define DIVIDER 0x0C
#define STATUS 0x1C
#define CLEAR 0x20
#define RECEIVED 0x24
#define TRANSMIT 0x28
#endif

/* The same bits in both generations. */
#define STATUS_RECEIVED BIT(5)
#define STATUS_SENT BIT(6)
#define STATUS_ROOM BIT(7)
#define CONTROL_RECEIVER BIT(2)
#define CONTROL_TRANSMITTER BIT(3)
#define CONTROL_INTERRUPT BIT(5)

static const stm32_uart *uart;

static volatile uint32_t *at(uint32_t offset)
{
    return &REG(uart->base + offset);
}

/* Alternate function, fast enough, pulled up so that an open line reads idle. */
static void start_pin(char port, unsigned pin, uint32_t function)
{
    uint32_t index = (uint32_t)(port - 'A');
    uint32_t base = GPIO + 0x400u * index;
    GPIO_ENABLE |= BIT(index);
    (void)GPIO_ENABLE; /* the port answers two bus clocks later */
    volatile uint32_t *half = &REG(base + (pin < 8 ? 0x20 : 0x24));
    unsigned place = 4 * (pin % 8);
    *half = (*half & ~(0xFu << place)) | function << place;
    REG(base + 0x08) |= 1u << (2 * pin);                                        /* OSPEEDR: medium */
    REG(base + 0x0C) = (REG(base + 0x0C) & ~(3u << (2 * pin))) | 1u << (2 * pin); /* PUPDR: up */
    REG(base + 0x00) = (REG(base + 0x00) & ~(3u << (2 * pin))) | 2u << (2 * pin); /* MODER: alternate */
}

/* Clock / baud, shifted left and rounded, in 32 bits: whole and rest apart. */
static uint32_t divider(uint32_t clock_hz)
{
    uint32_t whole = clock_hz / BOARD_UART_BAUD;
    uint32_t rest = clock_hz % BOARD_UART_BAUD;
    return (whole << uart->shift) + ((rest << uart->shift) + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
}

void stm32_start_uart(const stm32_uart *which, uint32_t clock_hz)
{
    uart = which;
    REG(uart->enable) |= BIT(uart->enable_bit);
    (void)REG(uart->enable);
    start_pin(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, uart->function);
    start_pin(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, uart->function);
    *at(DIVIDER) = divider(clock_hz);
    *at(CONTROL) = CONTROL_ON | CONTROL_RECEIVER | CONTROL_TRANSMITTER | CONTROL_INTERRUPT;
    cortexm_enable_interrupt(uart->interrupt);
}

void chip_interrupt(void)
{
    uint32_t status = *at(STATUS);
    uint8_t byte = (uint8_t)*at(RECEIVED); /* first generation: status, then data, also clears an overrun */
    if (status & STATUS_RECEIVED) {
        cortexm_received(byte);
    }
#if defined(CLEAR)
    *at(CLEAR) = 0xF; /* an overrun would interrupt for ever; parity, framing and noise come with it */
#endif
}

void hal_write(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!(*at(STATUS) & STATUS_ROOM)) {
        }
        *at(TRANSMIT) = bytes[i];
    }
    while (!(*at(STATUS) & STATUS_SENT)) { /* so that a reset after this does not cut the last byte */
    }
}
