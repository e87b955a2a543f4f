"""Linker scripts and board headers: from the regions, and what GNU ld makes of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cross import BARE_METAL, link, link_probe, needs_arm_gcc
from hypothesis import given
from hypothesis import strategies as st

from tinynas.board import Region, Uart, load_board
from tinynas.device.elf import firmware_size
from tinynas.device.linker import STACK_BYTES, board_header, chip_files, linker_script, memory_map
from tinynas.errors import BoardError


def test_memory_of_the_f746_as_its_manual_has_it() -> None:
    layout = memory_map(load_board("stm32f746"))
    # RM0385: 1 MB from 0x0800 0000; DTCM, SRAM1 and SRAM2 are 320 KB in one piece
    assert (layout.flash_origin, layout.flash_bytes) == (0x08000000, 1 << 20)
    assert (layout.ram_origin, layout.ram_bytes) == (0x20000000, 320 << 10)


def test_the_h743_uses_its_axi_memory() -> None:
    layout = memory_map(load_board("stm32h743"))
    assert (layout.ram_origin, layout.ram_bytes) == (0x24000000, 512 << 10)


@given(st.integers(0, 512 << 10))
def test_an_arena_that_fits_lies_in_the_core_s_own_memory(size: int) -> None:
    """With stack and variables; DTCM of the H743 is 128 KB by RM0433, of the F746 it is where RAM begins."""
    layout = memory_map(load_board("stm32h743"), arena_bytes=size)
    fits = size + STACK_BYTES + 2048 <= 128 << 10
    assert layout.ram_origin == (0x20000000 if fits else 0x24000000)
    assert layout.ram_bytes == (128 << 10 if fits else 512 << 10)
    plain = load_board("stm32f746")
    assert memory_map(plain, arena_bytes=size) == memory_map(plain)


@given(
    sizes=st.lists(st.integers(8192, 1 << 20), min_size=1, max_size=4),
    origin=st.integers(0x20000000, 0x30000000),
    data=st.data(),
)
def test_neighbouring_regions_become_one_stretch(sizes: list[int], origin: int, data: st.DataObject) -> None:
    flash = Region("FLASH", "flash", 0x08000000, 1 << 20, arena=False)
    regions, at = [flash], origin
    for index, size in enumerate(sizes):
        regions.append(Region(f"R{index}", "sram", at, size, arena=True))
        at += size
    board = replace(load_board("stm32f746"), regions=tuple(data.draw(st.permutations(regions))))
    layout = memory_map(board)
    assert (layout.ram_origin, layout.ram_bytes) == (origin, sum(sizes))


@given(st.integers(-64, 1 << 16))
def test_a_stack_is_a_multiple_of_eight(size: int) -> None:
    board = load_board("stm32f746")
    if size > 0 and size % 8 == 0:
        assert memory_map(board, size).stack_bytes == size
        assert f". += {size};" in linker_script(board, size)
    else:
        with pytest.raises(ValueError, match="multiple of 8"):
            memory_map(board, size)


def test_what_a_board_lacks_is_told() -> None:
    board = load_board("stm32f746")
    flash = tuple(region for region in board.regions if region.kind == "flash")
    with pytest.raises(BoardError, match="no RAM marked as arena"):
        memory_map(replace(board, regions=flash))
    with pytest.raises(BoardError, match="no flash"):
        memory_map(replace(board, regions=tuple(region for region in board.regions if region.arena)))
    tiny = Region("RAM", "sram", 0x20000000, STACK_BYTES, arena=True)
    with pytest.raises(BoardError, match="no more than the firmware's stack"):
        memory_map(replace(board, regions=(*flash, tiny)))
    with pytest.raises(BoardError, match="no serial line"):
        board_header(replace(board, uart=None))
    with pytest.raises(BoardError, match="pin 'A9'"):
        board_header(replace(board, uart=Uart("USART1", "A9", "PB7", 115200)))


def test_the_header_names_pins_of_both_vendors() -> None:
    st_board, nordic = (board_header(load_board(board)) for board in ("stm32f746", "nrf52840"))
    assert "#define BOARD_UART USART1\n" in st_board
    assert "TX_PORT 'A'\n#define BOARD_UART_TX_PIN 9u" in st_board
    assert "RX_PORT 'B'\n#define BOARD_UART_RX_PIN 7u" in st_board
    assert "TX_PORT 0u\n#define BOARD_UART_TX_PIN 6u" in nordic


def test_chips_with_a_framework_of_their_own_are_sent_to_arduino() -> None:
    with pytest.raises(BoardError, match="framework = arduino"):
        chip_files(load_board("rp2040"))
    with pytest.raises(BoardError, match="esp32s3"):
        chip_files(load_board("esp32s3"))


@needs_arm_gcc
@pytest.mark.parametrize("name", BARE_METAL)
def test_every_chip_links_into_its_board_without_a_warning(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    layout, size = memory_map(board), firmware_size(link_probe(board, tmp_path))
    for section in size.sections:
        origin, length = (
            (layout.ram_origin, layout.ram_bytes)
            if section.in_ram
            else (layout.flash_origin, layout.flash_bytes)
        )
        assert origin <= section.address
        assert section.address + section.size_bytes <= origin + length
    (stack,) = (section for section in size.sections if section.name == ".stack")
    assert stack.address == layout.ram_origin  # one that overflows leaves RAM
    assert size.stack_bytes == stack.size_bytes == STACK_BYTES
    assert size.arena_bytes == 512
    assert not size.has_heap


@needs_arm_gcc
def test_the_vectors_come_first_and_point_into_flash(tmp_path: Path) -> None:
    board = load_board("stm32f746")
    elf = link_probe(board, tmp_path)
    binary = tmp_path / "firmware.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, binary], check=True)
    image = binary.read_bytes()
    assert len(image) == firmware_size(elf).flash_bytes  # no hole between sections goes uncounted
    stack, reset = (int.from_bytes(image[at : at + 4], "little") for at in (0, 4))
    assert stack == 0x20000000 + STACK_BYTES
    assert reset % 2 == 1 and 0x08000000 < reset < 0x08000000 + len(image)


@needs_arm_gcc
def test_an_arena_fits_to_the_last_byte_and_not_beyond(tmp_path: Path) -> None:
    board = load_board("stm32f746")
    source = tmp_path / "main.c"
    source.write_text(
        '#include "hal.h"\nstatic uint8_t arena[BYTES];\n'
        "int main(void) { hal_start(); for (uint32_t i = hal_cycles();;) { arena[i++ % BYTES]++; } }\n"
    )
    assert link(board, [source], tmp_path, "-DBYTES=4096").returncode == 0
    spare = board.sram_bytes - firmware_size(tmp_path / "firmware.elf").ram_bytes
    assert link(board, [source], tmp_path, f"-DBYTES={4096 + spare}").returncode == 0
    assert firmware_size(tmp_path / "firmware.elf").ram_bytes == board.sram_bytes
    beyond = link(board, [source], tmp_path, f"-DBYTES={4096 + spare + 4}")
    assert beyond.returncode != 0 and "region `RAM' overflowed by 4 bytes" in beyond.stderr


@needs_arm_gcc
def test_who_calls_malloc_does_not_link(tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text(
        "#include <stdlib.h>\nchar *volatile kept;\nint main(void) { kept = malloc(4); return *kept; }\n"
    )
    done = link(load_board("stm32f746"), [source], tmp_path)
    assert done.returncode != 0 and "undefined reference to `end'" in done.stderr


@needs_arm_gcc
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_start_up_and_interrupts_in_qemu(tmp_path: Path) -> None:
    """QEMU's STM32F405 has the F4's UART but no clock control: the firmware goes on with the reset clock."""
    board = load_board("stm32f412")
    small = replace(
        board,
        uart=Uart("USART1", "PA9", "PA10", 115200),
        regions=(board.regions[0], Region("RAM", "sram", 0x20000000, 128 << 10, arena=True)),
    )
    elf = link_probe(small, tmp_path)
    command = [
        "qemu-system-arm",
        "-M",
        "netduinoplus2",
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "stdio",
    ]
    with subprocess.Popen(
        [*command, "-kernel", str(elf)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as qemu:
        assert qemu.stdin is not None and qemu.stdout is not None
        try:
            first = dict(line.strip().split(b"=") for line in iter(qemu.stdout.readline, b".=00000000\n"))
            for byte in b"abc":
                qemu.stdin.write(bytes([byte]))
                qemu.stdin.flush()
                assert qemu.stdout.read(1) == bytes([byte])
            qemu.stdin.write(b"!")
            qemu.stdin.flush()
            again = dict(line.strip().split(b"=") for line in iter(qemu.stdout.readline, b".=00000000\n"))
        finally:
            qemu.kill()
    assert int(first[b"c"], 16) == 16_000_000
    assert first[b"w"] == again[b"w"] == b"1234abcd" and int(first[b"z"], 16) == 0
    assert int(first[b"s"], 16) == STACK_BYTES and 3000 < int(first[b"u"], 16) < STACK_BYTES
