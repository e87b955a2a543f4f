"""A bench for boards that have no virtual twin: cycles are told from the instructions that operators execute.

A network's C is built for a bare core and run in Unicorn. An operator's cycles are those of the executed code
on a core without wait states, and for each line of weights and constants that the cache in front of the flash
lacks (`tinynas.cost.lines`) the wait for it (`serial_flash.py`).

Not modelled: code that is fetched through the same cache, where it is new or was driven out; interrupts; the
other core; a cache of few ways, which loses lines before it is full (here a loop that does not fit loses all
of its lines, and one that fits none).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cores.build import CORTEX_M0_PLUS, OPTIMISATION, RV32IMC, Core, compiler_missing
from cores.emitted import build_plan
from cores.serial_flash import ESP32_S3, RP2040, SerialFlash
from cores.unicorn_process import Count, count, unicorn_missing
from tinynas.board import Board
from tinynas.cost.lines import count_lines
from tinynas.cost.work import DataMemory, list_work
from tinynas.engine.planner import Arrangement
from tinynas.errors import RequestError, ToolchainError
from tinynas.pipeline.bench import Profiled, Run

#: in the counts by operator
_SCHEDULER = -1
#: a band smaller than this nobody could defend without a board
_LEAST_BAND = 0.25


@dataclass(frozen=True, slots=True)
class Counted:
    """How a board's cycles are told: its C is built for `core`, it runs at `clock_hz`, its flash is `flash`.

    Counted are executed instructions, or with `model` that core's cycles (cycles.py); each is `factor` cycles
    of the board, in some kernels what `factors` says. `spread` is how far such cycles may be off, relative.
    """

    core: Core
    clock_hz: int
    flash: SerialFlash
    factor: float
    spread: float
    model: str | None = None
    factors: Mapping[str, float] = field(default_factory=dict)

    def cycles(self, counted: Count, kernels: Sequence[str]) -> tuple[list[float], float]:
        """Cycles of every operator, of which these are the kernels, and of the scheduler."""
        executed: Mapping[int, int] = {**counted.operators, _SCHEDULER: counted.scheduler}
        told = executed if self.model is None else counted.cycles[self.model]
        factors = (self.factors.get(kernel, self.factor) for kernel in kernels)
        operators = [factor * told.get(index, 0) for index, factor in enumerate(factors)]
        return operators, self.factor * told.get(_SCHEDULER, 0)

    def band(self, share: float) -> float:
        """How far times may be off, relative, where a `share` of them are waits for flash, by whole 5 %.

        What may be wrong of either is added up.
        """
        return max(_LEAST_BAND, math.ceil(20 * ((1 - share) * self.spread + share * self.flash.spread)) / 20)


#: ArduinoCore-mbed's clock (pico-sdk's by default), and not the 133 MHz that the chip may run at.
#: Eleven layers of CMSIS-NN with few weights took what the table of cycles says of the same sources by gcc
#: 12.2, 3 % more or less (raspberrypi/pico-tflmicro, benchmark_results.txt). Another compiler makes other
#: code: CoreMark took 7 % more than ours by GCC 10.3 (1.824 a MHz, github.com/PaulStoffregen/CoreMark), and
#: up to 22 % by the 7.2 that Arduino had (1.23); PlatformIO has 9. A layer whose code had been driven out
#: waited for 19,000 cycles, which would be 1 % of the networks here
_RP2040 = Counted(CORTEX_M0_PLUS, 125_000_000, RP2040, 1.0, 0.22, model=CORTEX_M0_PLUS.cpu)

#: cycles of an ESP32-S3 for each instruction that a RISC-V core (rv32imc) executes of the same C: Espressif's
#: ticks of ESP-NN's kernels (v1.2.1, README, ANSI C) by instructions counted here, of the same kernels on the
#: same data. 1.29 is the geometric mean of six that multiply and accumulate, which are up to 9 % above and
#: 13 % below; CoreMark gives 1.27 to 1.32. An Xtensa has half of RISC-V's registers, and ESP-NN's loops fewer
#: variables than ours, but gcc 12.2 for an ESP8266 spills nothing in tn_pixel_pairs' inner loop: with SEXT 21
#: instructions, 21 to 23 cycles with or without a taken branch (1 an instruction, 3 a taken branch, measured
#: on an ESP32-S3 rev 0.2, see serial_flash.py), where RISC-V has 17: 21.9 by this factor
_ESP32_S3 = Counted(
    RV32IMC,
    240_000_000,
    ESP32_S3,
    1.29,
    0.15,
    factors={"tn_add": 1.76, "tn_mul": 1.90, "tn_mean": 1.53, "tn_average_pool": 1.53, "tn_max_pool": 0.91},
)
BOARDS: Mapping[str, Counted] = {"rp2040": _RP2040, "esp32s3": _ESP32_S3}


@dataclass(frozen=True, slots=True)
class CountedBench:
    """The `Bench` of the boards of `BOARDS`."""

    measured: bool = field(default=False, init=False)

    def require(self, board: Board) -> None:
        """As `Bench.require`: a compiler, the emulator, and that the board is known here.

        Raises:
            RequestError: it is not.
            ToolchainError: what is missing.
        """
        if board.id not in BOARDS:
            known = ", ".join(BOARDS)
            raise RequestError(f"instructions are counted for {known}, not for {board.id}: profile it")
        for missing in (compiler_missing(BOARDS[board.id].core), unicorn_missing()):
            if missing is not None:
                raise ToolchainError(missing)

    def times(self, board: Board, profiled: Sequence[Profiled]) -> str:
        """As `Bench.times`, with a band for networks that wait for flash like the worst of `profiled`."""
        share = max(waiting(each, board) for each in profiled)
        return f"modelled from executed instructions, +-{100 * BOARDS[board.id].band(share):.0f} %"

    def run(self, arranged: Arrangement, board: Board, folder: Path, *, layers: bool) -> Run:
        """As `Bench.run`."""
        way, plan = BOARDS[board.id], arranged.plan()
        _, firmware = build_plan(plan, way.core, folder)
        size = sum(firmware.interface.inputs)
        sample = np.random.default_rng(0).integers(-128, 128, size).astype(np.int8)
        counted = count(firmware, sample, folder, cycles_of=[way.model] if way.model else [])
        operators, scheduler = way.cycles(counted, plan.kernels)
        waits = (way.flash.wait * lines for lines in _lines(arranged, board))
        cycles = [round(sum(both)) for both in zip(operators, waits, strict=True)]
        # -O2, as the library's own library.json asks for, whatever the framework says
        compiler = f"{way.core.toolchain.version()} {OPTIMISATION[0]}"
        total = sum(cycles) + round(scheduler)
        return Run(total, tuple(cycles) if layers else (), 0, way.clock_hz, compiler)


def waiting(profiled: Profiled, board: Board) -> float:
    """The share of a network's cycles in which the core waits for flash."""
    lines = sum(_lines(profiled.arranged, board))
    return BOARDS[board.id].flash.wait * lines / profiled.run.total


def _lines(arranged: Arrangement, board: Board) -> Iterator[float]:
    """Lines of the flash's cache that every operator lacks."""
    memory = DataMemory.of(board, 0, arranged.arena)
    return (sum(count_lines(work, memory).values()) for work in list_work(arranged, memory))
