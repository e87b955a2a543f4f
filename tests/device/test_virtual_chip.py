"""Chips, registers, the serial line, the counting of edges: what of the virtual board needs no Unicorn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("capstone", reason="capstone missing: pip install 'tinynas[virtual]'")

from tinynas.board import load_board
from tinynas.device.virtual import edges as counting
from tinynas.device.virtual.accesses import Form, Program, Touch
from tinynas.device.virtual.bus import Bus
from tinynas.device.virtual.chip import Chip, load_chip
from tinynas.device.virtual.core_peripherals import CycleCounter, SystemControl, SysTick
from tinynas.device.virtual.edges import NEVER, Edges, Price, look_up, on_block
from tinynas.device.virtual.image import Image, Symbol
from tinynas.device.virtual.memory import is_memory, make_memory
from tinynas.device.virtual.serial_line import SerialLine

BOARDS = ("stm32f412", "stm32f746", "stm32h743", "stm32l4r5")
RCC_CR = {"stm32f412": 0x40023800, "stm32f746": 0x40023800, "stm32h743": 0x58024400, "stm32l4r5": 0x40021000}


@pytest.fixture(params=BOARDS)
def chip(request: pytest.FixtureRequest) -> Chip:
    return load_chip(load_board(request.param))


def test_bits_named_in_a_chip_file_exist(chip: Chip) -> None:
    names = {register.name for register in chip.registers}
    bits = [source for register in chip.registers for source in register.follows.values()]
    bits += [p.gate for p in (*chip.peripherals, *chip.lines, *chip.timers) if p.gate is not None]
    bits += [chip.ahb, *(line.bus for line in chip.lines), *(timer.bus for timer in chip.timers)]
    for bit in bits:
        assert f"{bit.peripheral}.{bit.register}" in names
    assert len({register.address for register in chip.registers}) == len(chip.registers)


@pytest.mark.parametrize("board", BOARDS)
def test_the_boards_own_line_is_on_the_chip(board: str) -> None:
    described = load_board(board)
    assert described.uart is not None
    assert described.uart.peripheral in {line.name for line in load_chip(described).lines}


@pytest.mark.parametrize("board", BOARDS)
def test_an_oscillator_gets_ready_when_it_is_switched_on(board: str) -> None:
    bus = Bus(load_chip(load_board(board)))
    reset = bus.read(RCC_CR[board], 4)
    assert not reset >> 17 & 1 and not reset >> 25 & 1  # crystal and PLL are off
    bus.write(RCC_CR[board], 4, reset | 1 << 16 | 1 << 24)
    assert bus.read(RCC_CR[board], 4) >> 17 & 1
    assert bus.read(RCC_CR[board], 4) >> 25 & 1
    bus.write(RCC_CR[board], 4, reset)
    assert bus.read(RCC_CR[board], 4) == reset


def test_a_peripheral_without_its_clock_reads_zero_and_forgets() -> None:
    bus = Bus(load_chip(load_board("stm32f746")))
    bus.write(0x40020000, 4, 0x1234)
    assert bus.read(0x40020000, 4) == 0 and bus.unclocked == {"GPIOA"}
    bus.write(0x40023830, 4, 1)
    assert bus.read(0x40020000, 4) == 0xA8000000  # its reset value, not what was written before


@given(st.integers(0, 3), st.integers(0, 255), st.integers(0, 0xFFFFFFFF))
def test_a_byte_write_leaves_the_rest_of_a_register(place: int, byte: int, word: int) -> None:
    bus = Bus(load_chip(load_board("stm32f746")))
    address = 0x40023C00
    bus.write(address, 4, word)
    bus.write(address + place, 1, byte)
    expected = word & ~(0xFF << 8 * place) | byte << 8 * place
    assert bus.read(address, 4) == expected
    assert bus.read(address + place, 1) == byte


class Clock:
    """Time by hand."""

    now = 0

    def __call__(self) -> int:
        return self.now


def control(board: str = "stm32f746") -> tuple[SystemControl, Clock, Bus, list[str]]:
    described, clock, resets = load_board(board), Clock(), list[str]()
    chip = load_chip(described)
    bus = Bus(chip)
    made: list[SystemControl] = []
    systick = SysTick(bus, clock, lambda exception: made[0].pend(exception))
    made.append(SystemControl(described, chip.cpuid, systick, lambda: resets.append("reset")))
    return made[0], clock, bus, resets


def test_systick_counts_down_wraps_and_interrupts() -> None:
    system, clock, _, _ = control()
    system.write(0x14, 4, 99)
    system.write(0x18, 4, 0)
    system.write(0x10, 4, 0b111)
    clock.now = 30
    assert system.read(0x18) == 69
    assert system.next_event() == 100
    clock.now = 100
    system.interrupting()
    assert system.candidate(set()) == 15
    assert system.read(0x10) >> 16 & 1  # COUNTFLAG, cleared by reading
    assert not system.read(0x10) >> 16 & 1


def test_priorities_choose_and_the_key_guards_the_reset() -> None:
    system, _, _, resets = control()
    system.write(0x104, 4, 1 << 5 | 1 << 6)  # interrupts 37 and 38
    system.write(0x400 + 37, 1, 0x80)
    system.write(0x400 + 38, 1, 0x40)
    assert system.candidate({37, 38, 39}) == 16 + 38
    assert system.candidate({39}) is None
    system.write(0xD0C, 4, 4)
    assert resets == []
    system.write(0xD0C, 4, 0x05FA0004)
    assert resets == ["reset"]


@pytest.mark.parametrize(
    ("board", "data", "instructions"),
    [("stm32f746", (32, 4), (64, 2)), ("stm32h743", (128, 4), (256, 2))],
)
def test_cache_geometry_is_told_as_by_the_chip(
    board: str, data: tuple[int, int], instructions: tuple[int, int]
) -> None:
    system, _, _, _ = control(board)
    for which, (sets, ways) in enumerate((data, instructions)):
        system.write(0xD84, 4, which)
        value = system.read(0xD80)
        assert ((value >> 13 & 0x7FFF) + 1, (value >> 3 & 0x3FF) + 1, value & 7) == (sets, ways, 1)


def test_the_m7s_cycle_counter_must_be_unlocked() -> None:
    clock = Clock()
    counter = CycleCounter(Bus(load_chip(load_board("stm32f746"))), clock, True, lambda: True)
    counter.write(0, 4, 1)
    clock.now = 50
    assert counter.read(4) == 0
    counter.write(0xFB0, 4, 0xC5ACCE55)
    counter.write(0, 4, 1)
    clock.now = 80
    assert counter.read(4) == 30
    counter.write(4, 4, 0)
    clock.now = 85
    assert counter.read(4) == 5


def line(board: str, rate: int) -> tuple[SerialLine, Clock, bytearray]:
    described, clock, sent = load_board(board), Clock(), bytearray()
    chip = load_chip(described)
    found = next(item for item in chip.lines if described.uart and item.name == described.uart.peripheral)
    serial = SerialLine(found, Bus(chip), chip.ahb, clock, sent.append)
    control_at, rate_at, enable = (0x0C, 8, 1 << 13) if found.layout == "sr" else (0, 0x0C, 1)
    serial.write(rate_at, 4, rate)
    serial.write(control_at, 4, enable | 1 << 5 | 1 << 3 | 1 << 2)
    return serial, clock, sent


@pytest.mark.parametrize(
    ("board", "rate"), [("stm32f746", 139), ("stm32f412", 139), ("stm32l4r5", 139 * 256)]
)
def test_bytes_come_at_the_rate_that_the_firmware_set(board: str, rate: int) -> None:
    serial, clock, sent = line(board, rate)
    assert serial.cycles_a_byte() == 1390 // 4
    status, data = (0, 4) if board == "stm32f412" else (0x1C, 0x24)
    assert not serial.read(status) >> 5 & 1
    serial.arrived.extend(b"ab")
    assert serial.read(status) >> 5 & 1 and serial.interrupting() == serial.line.irq
    assert serial.read(data) == ord("a")
    assert not serial.read(status) >> 5 & 1 and serial.interrupting() is None
    assert serial.next_event() == 1390 // 4
    clock.now = 1390 // 4
    assert serial.read(data) == ord("b")
    serial.write(4 if board == "stm32f412" else 0x28, 1, ord("z"))
    assert sent == b"z"


def test_a_line_that_is_off_sends_nothing() -> None:
    serial, _, sent = line("stm32f746", 139)
    serial.write(0, 4, 0)
    serial.write(0x28, 1, 1)
    assert sent == b"" and serial.next_event() == NEVER


@pytest.mark.parametrize("board", BOARDS)
def test_memories_are_there_and_only_there(board: str) -> None:
    described = load_board(board)
    banks = make_memory(described, load_chip(described))
    for region in described.regions:
        assert is_memory(banks, region.origin) and is_memory(banks, region.end - 1)
    assert not is_memory(banks, 0x60000000)
    ram = next(bank for bank in banks if bank.region.kind == "sram")
    assert len(set(ram.content[:4096].tolist())) > 200  # random, as after power-on


def test_the_stack_ends_at_the_mark_or_the_last_variable() -> None:
    regions = load_board("stm32f746").regions
    variables = Symbol("buffer", 0x20000000, 0x100, "STT_OBJECT")
    mark = Symbol("_sstack", 0x2004F000, 0, "STT_NOTYPE")
    assert Image(Path("x"), (), (variables,)).stack_limit(0x20050000, regions) == 0x20000100
    assert Image(Path("x"), (), (variables, mark)).stack_limit(0x20050000, regions) == 0x2004F000
    assert Image(Path("x"), (), ()).stack_limit(0x90000000, regions) == 0
    inside = Symbol("stack", 0x20001000, 0x1000, "STT_OBJECT")
    assert Image(Path("x"), (), (variables, inside)).stack_limit(0x20002000, regions) == 0x20001000


def walk(edges: Edges, blocks: list[int]) -> None:
    """Enters blocks one after another, entering each new step at a cost of 3 and a penalty of 10."""
    for address in blocks:
        while (why := on_block(edges.state, address)) == counting.EDGE_UNKNOWN:
            edges.add(address, Price(3, 10, 2, Program((), 0)))
        assert why == 0


@given(st.lists(st.integers(1, 6).map(lambda n: 0x08000000 + 16 * n), min_size=1, max_size=60))
def test_every_step_is_counted_once(blocks: list[int]) -> None:
    edges = Edges(native=False)
    walk(edges, blocks)
    counted = {(edge.source, edge.target): edge.count for edge in edges.counted()}
    steps = list(zip([0, *blocks], blocks, strict=False))
    assert counted == {step: steps.count(step) for step in set(steps)}
    missed = sum(edge.missed for edge in edges.counted())
    assert edges.clock == 3 * len(blocks) + 10 * missed
    assert int(edges.state[counting.EXECUTED]) == 2 * len(blocks)


def test_a_loop_is_predicted_but_for_its_ends() -> None:
    edges = Edges(native=False)
    walk(edges, ([0x10] * 100 + [0x20]) * 10)
    missed = sum(edge.missed for edge in edges.counted() if edge.source == 0x10)
    assert missed <= 12  # each of the ten exits, and the first times


def walk_ways(edges: Edges, ways: list[bool]) -> int:
    """A branch at 0x10 that goes these ways, and comes back; how many of them were predicted wrong."""
    before = sum(edge.missed for edge in edges.counted() if edge.source == 0x10)
    walk(edges, [block for way in ways for block in (0x10, 0x20 if way else 0x30)])
    return sum(edge.missed for edge in edges.counted() if edge.source == 0x10) - before


@given(pattern=st.lists(st.booleans(), min_size=1, max_size=8), before=st.lists(st.booleans(), max_size=9))
@example(pattern=[False, True], before=[False])
def test_a_loop_takes_as_long_whatever_came_before_it(pattern: list[bool], before: list[bool]) -> None:
    """An interrupt during one inference may move a predictor on; it must not decide what later ones take."""
    fresh, used = Edges(native=False), Edges(native=False)
    walk_ways(used, before)
    used.break_off()
    for edges in (fresh, used):
        walk_ways(edges, 3 * pattern)
    assert walk_ways(fresh, 2 * pattern) == walk_ways(used, 2 * pattern)


def test_a_full_table_starts_anew() -> None:
    edges = Edges(native=False)
    walk(edges, [0x1000 + 2 * n for n in range(20_000)])
    assert edges.clock >= 3 * 20_000


def cached(board: str) -> Edges:
    described = load_board(board)
    edges = Edges(native=False)
    edges.set_cache(
        load_chip(described).data_cache, described.caches.dcache_bytes, range(0x20000000, 0x20010000)
    )
    edges.switch_cache(True, 12)
    return edges


def test_the_cache_keeps_what_fits_and_loses_the_oldest() -> None:
    edges = cached("stm32f746")  # 4 KiB, four ways of 32 lines
    for _ in range(2):
        for address in range(0x20010000, 0x20011000, 4):
            look_up(edges.state, address, 4, 0)
    assert int(edges.state[counting.MISSES]) == 128  # all in the first round
    look_up(edges.state, 0x20011000, 4, 0)  # a fifth line for the first set
    look_up(edges.state, 0x20010000, 4, 0)  # the one that it has put out
    assert int(edges.state[counting.MISSES]) == 130
    assert edges.clock == 12 * 130


def test_coupled_memory_and_peripherals_are_not_cached() -> None:
    edges = cached("stm32f746")
    for address in (0x20000000, 0x00000000, 0x40000000, 0xE0001004):
        look_up(edges.state, address, 4, 0)
    assert edges.clock == 0


def test_a_cache_that_is_off_costs_every_access() -> None:
    edges = cached("stm32f746")
    edges.switch_cache(False, 12)
    for _ in range(5):
        look_up(edges.state, 0x20010000, 4, 0)
    assert edges.clock == 60


def test_programs_are_placed_once_for_all_edges_to_a_block() -> None:
    edges = cached("stm32f746")
    program = Program((Touch(Form(1, -1, 0, 4), 4, False, -1),), 0)
    for source in (0x100, 0x200):
        edges.state[counting.PREVIOUS] = source
        edges.add(0x300, Price(1, 0, 1, program))
    assert len(edges._programs) == 1
