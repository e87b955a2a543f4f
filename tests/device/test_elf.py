"""Sizes read from an ELF file are those of binutils."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from cross import link, link_probe, needs_arm_gcc

from tinynas.board import load_board
from tinynas.device.elf import firmware_size
from tinynas.errors import RequestError, ToolchainError

pytest.importorskip("elftools", reason="pyelftools is in the extra 'virtual'")


@needs_arm_gcc
def test_sizes_are_those_of_binutils(tmp_path: Path) -> None:
    elf = link_probe(load_board("stm32h743"), tmp_path)
    said = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, said.splitlines()[1].split()[:3])
    size = firmware_size(elf)
    # GNU size counts the constants as text and the stack as bss
    assert size.flash_bytes == text + data
    assert size.ram_bytes == data + bss
    assert (size.data_bytes, size.bss_bytes + (size.stack_bytes or 0)) == (data, bss)
    listed = subprocess.run(
        ["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True
    ).stdout
    sections = dict(re.findall(r"^(\.(?:text|rodata|data|bss|stack))\s+(\d+)", listed, re.MULTILINE))
    assert {section.name: str(section.size_bytes) for section in size.sections} == sections


@needs_arm_gcc
def test_json_names_units_and_sections(tmp_path: Path) -> None:
    plain = firmware_size(link_probe(load_board("stm32f412"), tmp_path)).to_dict()
    assert plain["arena_bytes"] == 512 and plain["heap"] is False
    assert plain["sram_bytes"] == sum(plain["sections"][name] for name in (".stack", ".data", ".bss"))


@needs_arm_gcc
def test_two_networks_in_one_firmware_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.c"
    other.write_text("static volatile char arena[99];\nint main(void) { return ++arena[0]; }\n")
    again = tmp_path / "again.c"
    again.write_text("static volatile char arena[9];\nint f(void) { return ++arena[0]; }\n")
    assert link(load_board("stm32f746"), [other], tmp_path).returncode == 0
    assert firmware_size(tmp_path / "firmware.elf").arena_bytes == 99
    done = link(load_board("stm32f746"), [other, again], tmp_path, "-Wl,--undefined=f")
    assert done.returncode == 0, done.stderr
    with pytest.raises(ToolchainError, match="2 arrays named 'arena'"):
        firmware_size(tmp_path / "firmware.elf")


def test_what_is_no_elf_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        firmware_size(tmp_path / "absent.elf")
    text = tmp_path / "text.elf"
    for content in (b"", b"\x7fELF", b"not an ELF file at all, though it is long enough to be one"):
        text.write_bytes(content)
        with pytest.raises(RequestError, match="not a sound ELF file"):
            firmware_size(text)


@needs_arm_gcc
def test_a_cut_file_is_an_error_and_not_a_smaller_firmware(tmp_path: Path) -> None:
    elf = link_probe(load_board("stm32f746"), tmp_path)
    whole = elf.read_bytes()
    for end in range(60, len(whole), len(whole) // 7):
        elf.write_bytes(whole[:end])
        with pytest.raises(RequestError, match="not a sound ELF file"):
            firmware_size(elf)
