"""Counting the way code goes from block to block, with its cycles, while Unicorn runs it.

A block is code without a branch inside; an edge is one block after another. What an edge costs is worked out
once, when it is first seen (``timing.py``); from then on ``on_block``, called before every block, only looks
it up, adds it to the clock and follows the branch predictor. ``on_block`` is one function for both ways to
call it: compiled by numba into a native hook where numba is installed, else as it stands, ten times slower,
with equal counts.

All state is one array of 64-bit integers, because that is what a native hook can be given.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynas.device.virtual.accesses import Program
from tinynas.device.virtual.chip import DataCache

#: why the hook asked to stop
DEADLINE_REACHED, EDGE_UNKNOWN, STACK_OVERFLOWN = 1, 2, 3

_EDGES = 1 << 15
_SLOTS = 1 << 16
_BLOCKS = 1 << 14
_LINES = 1 << 11
_POOL_SIZE = 1 << 19
#: integers an access takes in a program: slots, offset, shift, bytes, store, slot that keeps the word
TOUCH = 7

# the header: the cycle, the cycle to stop at, the last block and edge, what stopped, the lowest stack pointer
# allowed
CLOCK, DEADLINE, PREVIOUS, EDGE, STOP, MISSING, MISSING_SIZE, LIMIT, STACK_POINTER, EXECUTED = range(10)
# the data cache: its sets, ways, line (as a shift), the addresses it serves and those among them never
# cached, whether it is there (0), on (1) or off (2), the cycles of a miss; lines looked up, misses, the line
# last hit
SETS, WAYS, LINE, SERVED, SERVED_END, COUPLED, COUPLED_END, CACHING, MISS_CYCLES = range(10, 19)
LOOKUPS, MISSES, LAST_LINE = range(19, 22)
# whether the block last entered moves the stack pointer
STACK_MOVED = 22
_HASH = 32
_KEY = _HASH + _SLOTS
_COUNT = _KEY + _EDGES
_COST = _COUNT + _EDGES
_MISSED = _COST + _EDGES
_PENALTY = _MISSED + _EDGES
_SOURCE = _PENALTY + _EDGES
_FOLLOWER = _SOURCE + _EDGES
_INSTRUCTIONS = _FOLLOWER + _EDGES
_MOVES = _INSTRUCTIONS + _EDGES
_PREDICTED = _MOVES + _EDGES
_SURE = _PREDICTED + _BLOCKS
_PROGRAM = _SURE + _BLOCKS
_TAGS = _PROGRAM + _EDGES
_AGES = _TAGS + _LINES
#: values of a program's slots
VALUES = _AGES + _LINES
_POOL = VALUES + 64
LENGTH = _POOL + _POOL_SIZE

_UC_HOOK_BLOCK = 8
ARM_REG_SP, _ARM_REG_LR, _ARM_REG_R0 = 12, 10, 66
#: Unicorn's numbers of r0-r12, sp, lr
REGISTER_IDS = (*range(_ARM_REG_R0, _ARM_REG_R0 + 13), ARM_REG_SP, _ARM_REG_LR)
#: cycles that mean never
NEVER = 1 << 60


def on_block(state: Any, address: int) -> int:
    """Counts the step from the last block to the one at ``address``; non-zero to stop before it instead.

    The predictor keeps, for each block, a way and whether it is sure of it: one step the other way makes it
    unsure, a second one changes its mind, and it is sure again. Were it not sure then, a branch that goes to
    and fro would be missed every time or every second time for ever, by where it was entered: an interrupt's
    moment would decide how long all later inferences take.
    """
    if state[CLOCK] >= state[DEADLINE]:
        state[STOP] = 1
        return 1
    if state[STACK_POINTER] < state[LIMIT]:
        state[STOP] = 3
        return 3
    key = (state[PREVIOUS] << 32) | address
    last = state[EDGE]
    edge = state[_FOLLOWER + last]
    if state[_KEY + edge] != key:
        slot = ((state[PREVIOUS] >> 1) * 40503 ^ (address >> 1)) & 65535
        edge = state[_HASH + slot]
        while edge != 0 and state[_KEY + edge] != key:
            slot = (slot + 1) & 65535
            edge = state[_HASH + slot]
        if edge == 0:
            state[MISSING] = address
            state[STOP] = 2
            return 2
        state[_FOLLOWER + last] = edge
    source = state[_SOURCE + edge]
    if state[_PREDICTED + source] == edge:
        state[_SURE + source] = 1
    else:
        state[_MISSED + edge] += 1
        state[CLOCK] += state[_PENALTY + edge]
        if state[_SURE + source]:
            state[_SURE + source] = 0
        else:
            state[_PREDICTED + source] = edge
            state[_SURE + source] = 1
    state[_COUNT + edge] += 1
    state[CLOCK] += state[_COST + edge]
    state[EXECUTED] += state[_INSTRUCTIONS + edge]
    state[STACK_MOVED] = state[_MOVES + edge]
    state[EDGE] = edge
    state[PREVIOUS] = address
    return 0


def program_at(state: Any) -> int:
    """Where the program of the block just entered begins, 0 for none: its number of slots, slots, touches,
    touches.
    """
    return int(state[_PROGRAM + state[EDGE]]) if state[CACHING] else 0


def address_of(state: Any, touch: int) -> int:
    """The address of the access described at ``touch``."""
    address = state[touch + 1]
    if state[touch] >= 0:
        address += state[VALUES + state[touch]]
    if state[touch + 2] >= 0:
        address += state[VALUES + state[touch + 2]] << state[touch + 3]
    return int(address & 0xFFFFFFFF)


def look_up(state: Any, address: int, size: int, store: int) -> None:
    """Follows the data cache through one access; a line that is missing costs time and takes the oldest one's
    place.
    """
    if address < state[SERVED] or address >= state[SERVED_END]:
        return
    if state[COUPLED] <= address < state[COUPLED_END]:
        return
    if state[CACHING] == 2:
        state[CLOCK] += state[MISS_CYCLES]
        return
    line = address >> state[LINE]
    last = (address + size - 1) >> state[LINE]
    while line <= last:
        if state[LAST_LINE] != line:
            first = (line & (state[SETS] - 1)) * state[WAYS]
            state[LOOKUPS] += 1
            victim = first
            hit = 0
            for way in range(first, first + state[WAYS]):
                if state[_TAGS + way] == line:
                    victim = way
                    hit = 1
                    break
                if state[_AGES + way] < state[_AGES + victim]:
                    victim = way
            if hit == 0:
                state[MISSES] += 1
                state[CLOCK] += state[MISS_CYCLES]
                state[_TAGS + victim] = line
            state[_AGES + victim] = state[LOOKUPS]
            state[LAST_LINE] = line
        line += 1


@dataclass(frozen=True, slots=True)
class Price:
    """Cycles of an edge, cycles more when it was predicted wrong; of its target instructions and accesses,
    and whether it moves the stack pointer.
    """

    cycles: int
    penalty: int
    instructions: int
    program: Program
    moves_stack: bool = True


@dataclass(frozen=True, slots=True)
class Edge:
    """One step from block to block: addresses (source 0: an exception's entry or return), count, wrong
    predictions.
    """

    source: int
    target: int
    count: int
    missed: int


class Edges:
    """The table behind ``on_block``, and the hook that calls it."""

    def __init__(self, native: bool) -> None:
        """``native`` uses numba, which must be there (``native_available``)."""
        self.native = native
        #: indexed as the constants above say; the serial port's thread may set the deadline
        self.state: Any = np.zeros(LENGTH, dtype=np.int64) if native else [0] * LENGTH
        self.state[DEADLINE] = NEVER
        self.state[STACK_POINTER] = 0xFFFFFFFF  # the hook writes its lower 32 bits
        self._used = 1
        self._blocks: dict[int, int] = {}
        self._programs: dict[int, int] = {}
        self._pool = 0

    def hook(self, uc: Any) -> None:
        """Has every block of the Unicorn instance counted."""
        if self.native:
            from tinynas.device.virtual.native import hook_blocks

            hook_blocks(uc, self.state)
        else:
            uc.hook_add(_UC_HOOK_BLOCK, self._plain_hook)

    def _plain_hook(self, uc: Any, address: int, size: int, _: Any) -> None:
        if self.state[STACK_MOVED]:
            self.state[STACK_POINTER] = uc.reg_read(ARM_REG_SP)
        if on_block(self.state, address):
            self.state[MISSING_SIZE] = size
            uc.emu_stop()
            return
        program = program_at(self.state)
        if program:
            self._follow(uc, program)

    def _follow(self, uc: Any, program: int) -> None:
        """What the native hook does with a program."""
        state, slots = self.state, self.state[program]
        for slot in state[program + 1 : program + 1 + slots]:
            state[VALUES + slot] = uc.reg_read(REGISTER_IDS[slot])
        start = program + 2 + slots
        for touch in range(start, start + TOUCH * state[start - 1], TOUCH):
            address = address_of(state, touch)
            look_up(state, address, state[touch + 4], state[touch + 5])
            if state[touch + 6] >= 0:
                state[VALUES + state[touch + 6]] = _word(uc, address)

    @property
    def clock(self) -> int:
        """Cycles since power-on."""
        return int(self.state[CLOCK])

    def break_off(self) -> None:
        """The next block has no predecessor: an exception came between."""
        self.state[PREVIOUS] = 0
        self.state[EDGE] = 0

    def set_cache(self, cache: DataCache, size: int, coupled: range) -> None:
        """Follow a data cache of ``size`` bytes; ``coupled`` memory is never cached."""
        state = self.state
        lines = size // cache.line_bytes
        state[WAYS] = cache.ways or lines
        state[SETS] = lines // int(state[WAYS])
        state[LINE] = cache.line_bytes.bit_length() - 1
        state[SERVED], state[SERVED_END] = cache.served.start, cache.served.stop
        state[COUPLED], state[COUPLED_END] = coupled.start, coupled.stop

    def switch_cache(self, on: bool, miss_cycles: int) -> None:
        """Turns the cache on or off; off, every access that it would serve costs a miss. Either way it is
        empty.
        """
        state = self.state
        if state[CACHING] != (1 if on else 2):
            for place in range(_TAGS, _TAGS + _LINES):
                state[place] = 0
            state[LAST_LINE] = 0
        state[CACHING], state[MISS_CYCLES] = 1 if on else 2, miss_cycles

    def add(self, target: int, price: Price) -> None:
        """Enters the edge from the last block to ``target``; the table starts anew when it is full."""
        state = self.state
        code = _coded(price.program)
        full = self._pool + len(code) > _POOL_SIZE
        if full or self._used >= _EDGES or len(self._blocks) >= _BLOCKS - 1:
            self._clear()
        source, edge = int(state[PREVIOUS]), self._used
        self._used += 1
        slot = ((source >> 1) * 40503 ^ (target >> 1)) & (_SLOTS - 1)
        while state[_HASH + slot]:
            slot = (slot + 1) & (_SLOTS - 1)
        state[_HASH + slot] = edge
        state[_KEY + edge] = (source << 32) | target
        state[_COST + edge] = price.cycles
        state[_PENALTY + edge] = price.penalty
        state[_INSTRUCTIONS + edge] = price.instructions
        state[_MOVES + edge] = price.moves_stack
        state[_PROGRAM + edge] = self._placed(target, code)
        state[_SOURCE + edge] = self._blocks.setdefault(source, len(self._blocks) + 1)

    def _placed(self, target: int, code: list[int]) -> int:
        """Where the program of a block lies in the state; every edge to it shares it."""
        if not code:
            return 0
        if target not in self._programs:
            start = _POOL + self._pool
            for place, number in enumerate(code, start):
                self.state[place] = number
            self._programs[target] = start
            self._pool += len(code)
        return self._programs[target]

    def _clear(self) -> None:
        for index in range(_HASH, LENGTH):
            self.state[index] = 0
        self.state[EDGE] = 0
        self._used = 1
        self._blocks.clear()
        self._programs.clear()
        self._pool = 0

    def counted(self) -> Iterator[Edge]:
        """Every edge taken since the table was last full."""
        for edge in range(1, self._used):
            key = int(self.state[_KEY + edge])
            yield Edge(
                key >> 32,
                key & 0xFFFFFFFF,
                int(self.state[_COUNT + edge]),
                int(self.state[_MISSED + edge]),
            )


def _coded(program: Program) -> list[int]:
    """A program as integers; empty where it does nothing."""
    if not program.touches:
        return []
    slots = program.slots()
    code = [len(slots), *slots, len(program.touches)]
    for touch in program.touches:
        form = touch.form
        code += [form.base, form.offset, form.index, form.shift, touch.size, touch.store, touch.keep]
    return code


def _word(uc: Any, address: int) -> int:
    """The word that a load will find; 0 where there is no memory, which the load itself will find out."""
    try:
        return int.from_bytes(uc.mem_read(address, 4), "little")
    except Exception:  # Unicorn's own error, which is not imported here
        return 0


def native_available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None
