/* Any board that Arduino supports: the framework starts the chip, this asks it. A port of the same program, so that
 * its answers differ where Arduino cannot tell: the stack is not painted, and on a core without a cycle counter
 * cycles are microseconds times the clock. */
#include <Arduino.h>

#include "hal.h"

#define BAUD 115200
#define RECEIVE_BUFFER 1024 /* ESP32 alone lets it be chosen; the others have 256 or a USB line that waits */

extern "C" {

/* The two halves of main.c. */
void firmware_start(void);
void firmware_poll(void);

#if defined(__arm__)
/* CMSIS's variable, which most cores for Arm keep at the true clock. */
extern uint32_t SystemCoreClock __attribute__((weak));
#endif
}

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)
#define HAS_CYCLE_COUNTER
#endif

static inline volatile uint32_t *reg(uintptr_t address)
{
    return reinterpret_cast<volatile uint32_t *>(address);
}

void setup()
{
    firmware_start();
}

void loop()
{
    firmware_poll();
}

void hal_start(void)
{
#if defined(ARDUINO_ARCH_ESP32)
    Serial.setRxBufferSize(RECEIVE_BUFFER);
#endif
    Serial.begin(BAUD);
#if defined(HAS_CYCLE_COUNTER)
    *reg(0xE000EDFC) |= 1u << 24; /* DEMCR.TRCENA */
    *reg(0xE0001FB0) = 0xC5ACCE55; /* the lock that the M7 has */
    *reg(0xE0001000) |= 1u;        /* DWT_CTRL.CYCCNTENA */
#endif
}

uint32_t hal_clock_hz(void)
{
#if defined(ARDUINO_ARCH_ESP32)
    return getCpuFrequencyMhz() * 1000000u;
#elif defined(__arm__)
    return &SystemCoreClock ? SystemCoreClock : F_CPU;
#else
    return F_CPU;
#endif
}

uint32_t hal_cycles(void)
{
#if defined(ARDUINO_ARCH_ESP32)
    return ESP.getCycleCount();
#elif defined(HAS_CYCLE_COUNTER)
    return *reg(0xE0001004);
#else
    return (uint32_t)micros() * (hal_clock_hz() / 1000000u);
#endif
}

uint32_t hal_caches(void)
{
#if defined(ARDUINO_ARCH_ESP32)
    return 3; /* both caches before the flash, which nothing runs without */
#elif defined(ARDUINO_ARCH_RP2040)
    return *reg(0x14000000) & 1; /* XIP_CTRL.EN */
#else
    return 0;
#endif
}

int hal_read(void)
{
    return Serial.read();
}

void hal_write(const uint8_t *bytes, size_t count)
{
    Serial.write(bytes, count);
    Serial.flush();
}

uint32_t hal_stack_unused(void)
{
    return 0;
}

uint32_t hal_stack_size(void)
{
    return 0;
}

void hal_reset(void)
{
    delay(5); /* Serial.flush() hands bytes to USB; they still have to leave */
#if defined(ARDUINO_ARCH_ESP32)
    ESP.restart();
#elif defined(__arm__)
    *reg(0xE000ED0C) = 0x05FA0004; /* AIRCR.SYSRESETREQ */
#endif
    for (;;) {
    }
}
