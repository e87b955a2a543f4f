"""What makers publish about the chips that firmware/hal starts and the virtual board imitates.

Numbers only, to hold ours against. Addresses, bits and interrupts were printed by programs that include the
makers' C headers: STMicroelectronics/cmsis_device_f7 v1.2.9, _f4 cdbad76, _h7 13ba9da, _l4 v1.7.4 and
NordicSemiconductor/nrfx aa83d4d (nrf52840.h, nrf52840_bitfields.h). Limits of PLLs and wait states:
stm32f7xx_ll_utils.c 72edf6a, stm32f412zx.h, stm32h7xx_ll_utils.c 6f5e35e, stm32l4xx_ll_utils.c a9f8b8a; the
STM32H743's 960 MHz from revision V on are its data sheet's (DS12110). Alternate functions of pins:
modm-io/modm-devices cd25d12, made from ST's CubeMX database. Reset values: ST's SVD files in
cmsis-svd/cmsis-svd-data, and where those repeat another chip's (PLLI2SCFGR, PLLSAICFGR), HAL_RCC_DeInit of
stm32f7xx_hal_rcc.c and stm32f4xx_hal_rcc_ex.c d232197. Left out is what only the manuals tell.
"""

from __future__ import annotations

from dataclasses import dataclass

_PLL_AND_BUSES = {  # the same in F4 and F7
    "&RCC_CR": 0x40023800,
    "&RCC_PLLCFGR": 0x40023804,
    "&RCC_CFGR": 0x40023808,
    "RCC_APB1ENR_ADDRESS": 0x40023840,
    "RCC_APB2ENR_ADDRESS": 0x40023844,
    "RCC_CR_PLLON": 0x01000000,
    "RCC_CR_PLLRDY": 0x02000000,
    "RCC_APB1ENR_PWREN": 0x10000000,
    "&FLASH_ACR": 0x40023C00,
    "FLASH_PREFETCH": 0x100,
    "U(USART1).base": 0x40011000,
    "U(USART2).base": 0x40004400,
    "U(USART3).base": 0x40004800,
    "U(USART6).base": 0x40011400,
    "U(USART1).interrupt": 37,
    "U(USART2).interrupt": 38,
    "U(USART3).interrupt": 39,
    "U(USART6).interrupt": 71,
    "1 << U(USART1).enable_bit": 0x10,
    "1 << U(USART6).enable_bit": 0x20,
    "1 << U(USART2).enable_bit": 0x20000,
    "1 << U(USART3).enable_bit": 0x40000,
}

#: file of firmware/hal -> C expression in it -> what the maker says
REGISTERS: dict[str, dict[str, int]] = {
    "stm32f4.c": _PLL_AND_BUSES
    | {
        "&PWR_CR": 0x40007000,
        "&PWR_CSR": 0x40007004,
        "PWR_CSR_VOSRDY": 0x4000,
        "PWR_VOS_SCALE_1": 0xC000,
        "FLASH_INSTRUCTIONS": 0x200,
        "FLASH_DATA": 0x400,
    },
    "stm32f7.c": _PLL_AND_BUSES
    | {
        "&PWR_CR1": 0x40007000,
        "&PWR_CSR1": 0x40007004,
        "PWR_VOS_SCALE_1": 0xC000,
        "PWR_OVERDRIVE": 0x10000,
        "PWR_OVERDRIVE_SWITCH": 0x20000,
        "FLASH_ART": 0x200,
    },
    "stm32h7.c": {
        "&RCC_CR": 0x58024400,
        "&RCC_CFGR": 0x58024410,
        "&RCC_D1CFGR": 0x58024418,
        "&RCC_D2CFGR": 0x5802441C,
        "&RCC_D3CFGR": 0x58024420,
        "&RCC_PLLCKSELR": 0x58024428,
        "&RCC_PLLCFGR": 0x5802442C,
        "&RCC_PLL1DIVR": 0x58024430,
        "RCC_APB1LENR_ADDRESS": 0x580244E8,
        "RCC_APB2ENR_ADDRESS": 0x580244F0,
        "&RCC_APB4ENR": 0x580244F4,
        "RCC_APB4ENR_SYSCFGEN": 0x2,
        "RCC_CR_PLL1ON": 0x01000000,
        "RCC_CR_PLL1RDY": 0x02000000,
        "PLL_RANGE_4_TO_8 << 2": 0x8,
        "&PWR_CSR1": 0x58024804,
        "&PWR_CR3": 0x5802480C,
        "&PWR_D3CR": 0x58024818,
        "PWR_READY": 0x2000,
        "PWR_VOS_SCALE_1": 0xC000,
        "&SYSCFG_PWRCR": 0x5800042C,
        "SYSCFG_OVERDRIVE": 0x1,
        "&FLASH_ACR": 0x52002000,
        "&DBGMCU_IDC": 0x5C001000,
        "U(USART1).base": 0x40011000,
        "U(USART2).base": 0x40004400,
        "U(USART3).base": 0x40004800,
        "U(USART6).base": 0x40011400,
        "U(USART3).interrupt": 39,
        "U(USART6).interrupt": 71,
        "1 << U(USART1).enable_bit": 0x10,
        "1 << U(USART3).enable_bit": 0x40000,
        "1 << U(USART6).enable_bit": 0x20,
    },
    "stm32l4.c": {
        "&RCC_CR": 0x40021000,
        "&RCC_CFGR": 0x40021008,
        "&RCC_PLLCFGR": 0x4002100C,
        "RCC_APB1ENR1_ADDRESS": 0x40021058,
        "RCC_APB1ENR2_ADDRESS": 0x4002105C,
        "RCC_APB2ENR_ADDRESS": 0x40021060,
        "RCC_APB1ENR1_PWREN": 0x10000000,
        "RCC_CR_HSION": 0x100,
        "RCC_CR_HSIRDY": 0x400,
        "RCC_CR_PLLON": 0x01000000,
        "RCC_CR_PLLRDY": 0x02000000,
        "PLL_R_ON": 0x01000000,
        "PLL_SOURCE_HSI": 0x2,
        "&PWR_CR2": 0x40007004,
        "&PWR_SR2": 0x40007014,
        "&PWR_CR5": 0x40007080,
        "PWR_CR2_IOSV": 0x200,
        "PWR_SR2_VOSF": 0x400,
        "PWR_CR5_NOT_BOOST": 0x100,
        "&FLASH_ACR": 0x40022000,
        "FLASH_PREFETCH": 0x100,
        "FLASH_INSTRUCTIONS": 0x200,
        "FLASH_DATA": 0x400,
        "U(USART1).base": 0x40013800,
        "U(USART2).base": 0x40004400,
        "U(USART3).base": 0x40004800,
        "U(LPUART1).base": 0x40008000,
        "U(LPUART1).interrupt": 70,
        "1 << U(USART1).enable_bit": 0x4000,
        "1 << U(LPUART1).enable_bit": 0x1,
    },
    "nrf52.c": {
        "&CLOCK_TASKS_HFCLKSTART": 0x40000000,
        "&CLOCK_EVENTS_HFCLKSTARTED": 0x40000100,
        "&NVMC_ICACHECNF": 0x4001E540,
        "&TASKS_STARTRX": 0x40002000,
        "&TASKS_STARTTX": 0x40002008,
        "&EVENTS_RXDRDY": 0x40002108,
        "&EVENTS_TXDRDY": 0x4000211C,
        "&INTENSET": 0x40002304,
        "&ENABLE": 0x40002500,
        "&PSELRTS": 0x40002508,
        "&PSELTXD": 0x4000250C,
        "&PSELCTS": 0x40002510,
        "&PSELRXD": 0x40002514,
        "&RXD": 0x40002518,
        "&TXD": 0x4000251C,
        "&BAUDRATE": 0x40002524,
        "&CONFIG": 0x4000256C,
        "BAUD_FIELD": 0x01D7E000,
        "ENABLE_UART": 4,
        "INTEN_RXDRDY": 1 << 2,
        "INTERRUPT": 2,
        "&GPIO_OUTSET(0)": 0x50000508,
        "&GPIO_OUTSET(1)": 0x50000808,
        "&GPIO_DIRSET(0)": 0x50000518,
        "&GPIO_PIN_CNF(0, 0)": 0x50000700,
        "GPIO_INPUT_PULLED_UP": 3 << 2 | 0 << 1,
    },
}

#: board -> C expression in stm32.c as compiled for it
PINS_AND_LINES: dict[str, dict[str, int]] = {
    "stm32f412": {
        "GPIO": 0x40020000,
        "&GPIO_ENABLE": 0x40023830,
        "STATUS": 0x00,
        "RECEIVED": 0x04,
        "DIVIDER": 0x08,
        "CONTROL": 0x0C,
        "CONTROL_ON": 0x2000,
    },
    **{
        board: {
            "GPIO": pins,
            "&GPIO_ENABLE": enable,
            "CONTROL": 0x00,
            "CONTROL_ON": 0x1,
            "DIVIDER": 0x0C,
            "STATUS": 0x1C,
            "CLEAR": 0x20,
            "RECEIVED": 0x24,
            "TRANSMIT": 0x28,
            "CONTROL_RECEIVER": 0x4,
            "CONTROL_TRANSMITTER": 0x8,
            "CONTROL_INTERRUPT": 0x20,
            "STATUS_RECEIVED": 0x20,
            "STATUS_SENT": 0x40,
            "STATUS_ROOM": 0x80,
        }
        for board, pins, enable in (
            ("stm32f746", 0x40020000, 0x40023830),
            ("stm32f767", 0x40020000, 0x40023830),
            ("stm32h743", 0x58020000, 0x580244E0),
            ("stm32l4r5", 0x48000000, 0x4002104C),
        )
    },
}

#: board -> number of the alternate function that puts its UART on both pins that its board file names
ALTERNATE_FUNCTION = {"stm32f412": 7, "stm32f746": 7, "stm32f767": 7, "stm32h743": 7, "stm32l4r5": 8}


@dataclass(frozen=True)
class Clock:
    """Limits of a PLL in MHz, the clock that the flash sees, and above which one more wait state is due."""

    source: str
    vco_input: str
    vco: str
    core: str
    input_range: tuple[float, float]
    vco_range: tuple[float, float]
    flash_divider: int
    wait_states: str
    steps: tuple[int, ...]


CLOCKS = {
    "stm32f412": Clock(
        "stm32f4.c", "HSI_HZ / PLL_M", "HSI_HZ / PLL_M * PLL_N", "HSI_HZ / PLL_M * PLL_N / 2",
        (0.95, 2.1), (100, 432), 1, "WAIT_STATES", (30, 64, 90),
    ),
    "stm32f746": Clock(
        "stm32f7.c", "HSI_HZ / PLL_M", "HSI_HZ / PLL_M * PLL_N", "HSI_HZ / PLL_M * PLL_N / 2",
        (0.95, 2.1), (100, 432), 1, "WAIT_STATES", (30, 60, 90, 120, 150, 180, 210),
    ),
    "stm32h743": Clock(
        "stm32h7.c", "HSI_HZ / PLL_M", "HSI_HZ / PLL_M * PLL_N", "HSI_HZ / PLL_M * PLL_N / 2",
        (4, 8), (192, 960), 2, "FLASH_240_MHZ & 15", (70, 140),
    ),
    "stm32l4r5": Clock(
        "stm32l4.c", "HSI_HZ / PLL_M", "HSI_HZ / PLL_M * PLL_N", "HSI_HZ / PLL_M * PLL_N / 2",
        (4, 16), (64, 344), 1, "WAIT_STATES", (20, 40, 60, 80, 100),
    ),
}  # fmt: skip

#: chip -> register -> (address, value after reset)
AFTER_RESET: dict[str, dict[str, tuple[int, int]]] = {
    "stm32f746": {
        "RCC.CR": (0x40023800, 0x83),
        "RCC.PLLCFGR": (0x40023804, 0x24003010),
        "RCC.CFGR": (0x40023808, 0),
        "RCC.AHB1ENR": (0x40023830, 0x00100000),
        "RCC.APB1ENR": (0x40023840, 0),
        "RCC.APB2ENR": (0x40023844, 0),
        "RCC.CSR": (0x40023874, 0x0E000000),
        "RCC.PLLI2SCFGR": (0x40023884, 0x24003000),
        "RCC.PLLSAICFGR": (0x40023888, 0x24003000),
        "PWR.CR1": (0x40007000, 0xC000),
        "PWR.CSR1": (0x40007004, 0),
        "FLASH.ACR": (0x40023C00, 0),
        "FLASH.CR": (0x40023C10, 0x80000000),
        "GPIOA.MODER": (0x40020000, 0xA8000000),
        "GPIOA.PUPDR": (0x4002000C, 0x64000000),
        "GPIOB.MODER": (0x40020400, 0x280),
        "GPIOB.OSPEEDR": (0x40020408, 0xC0),
        "GPIOB.PUPDR": (0x4002040C, 0x100),
    },
    "stm32f412": {
        "RCC.CR": (0x40023800, 0x83),
        "RCC.PLLCFGR": (0x40023804, 0x24003010),
        "RCC.CFGR": (0x40023808, 0),
        "RCC.APB1ENR": (0x40023840, 0),
        "RCC.APB2ENR": (0x40023844, 0),
        "RCC.PLLI2SCFGR": (0x40023884, 0x24003010),
        "FLASH.ACR": (0x40023C00, 0),
        "FLASH.CR": (0x40023C10, 0x80000000),
        "GPIOA.MODER": (0x40020000, 0xA8000000),
        "GPIOA.PUPDR": (0x4002000C, 0x64000000),
        "GPIOB.MODER": (0x40020400, 0x280),
        "GPIOB.OSPEEDR": (0x40020408, 0xC0),
        "GPIOB.PUPDR": (0x4002040C, 0x100),
    },
    "stm32h743": {
        "RCC.CFGR": (0x58024410, 0),
        "RCC.D1CFGR": (0x58024418, 0),
        "RCC.PLLCKSELR": (0x58024428, 0x02020200),
        "RCC.PLLCFGR": (0x5802442C, 0x01FF0000),
        "RCC.PLL1DIVR": (0x58024430, 0x01010280),
        "RCC.APB1LENR": (0x580244E8, 0),
        "PWR.CR3": (0x5802480C, 0x6),
        "GPIOA.MODER": (0x58020000, 0xABFFFFFF),
        "GPIOA.OSPEEDR": (0x58020008, 0x0C000000),
    },
    "stm32l4r5": {
        "RCC.CR": (0x40021000, 0x63),
        "RCC.CFGR": (0x40021008, 0),
        "RCC.PLLCFGR": (0x4002100C, 0x1000),
        "RCC.APB1ENR2": (0x4002105C, 0),
        "PWR.CR1": (0x40007000, 0x200),
        "FLASH.ACR": (0x40022000, 0x600),
        "GPIOA.PUPDR": (0x4800000C, 0x64000000),
    },
}
#: chip -> serial line -> (address, interrupt)
LINES = {
    "stm32f746": {
        "USART1": (0x40011000, 37),
        "USART2": (0x40004400, 38),
        "USART3": (0x40004800, 39),
        "USART6": (0x40011400, 71),
    },
    "stm32f412": {
        "USART1": (0x40011000, 37),
        "USART2": (0x40004400, 38),
        "USART3": (0x40004800, 39),
        "USART6": (0x40011400, 71),
    },
    "stm32h743": {
        "USART1": (0x40011000, 37),
        "USART2": (0x40004400, 38),
        "USART3": (0x40004800, 39),
        "USART6": (0x40011400, 71),
    },
    "stm32l4r5": {
        "USART1": (0x40013800, 37),
        "USART2": (0x40004400, 38),
        "USART3": (0x40004800, 39),
        "LPUART1": (0x40008000, 70),
    },
}
