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
    """How a board's cycles are told: its C is built for `core`, and its flash is `flash`.

    Counted are executed instructions, or with `model` that core's cycles (cycles.py); each is `factor` cycles
    of the board, in some kernels what `factors` says. `spread` is how far such cycles may be off, relative.
    """

    core: Core
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


#: Eleven layers of CMSIS-NN with few weights took what the table of cycles says of the same sources, 3 %
#: more or less (core_anchors.py). Another compiler makes other code: CoreMark took 7 % more than ours by GCC
#: 10.3 (-O3), and up to 22 % more than ours by -Os where GCC 7.2 was Arduino's (1.23 a MHz); PlatformIO has
#: 9. A layer whose code had been driven out waited for 19,000 cycles, which would be 1 % of the networks
#: here
_RP2040 = Counted(CORTEX_M0_PLUS, RP2040, 1.0, 0.22, model=CORTEX_M0_PLUS.cpu)

#: Cycles of an ESP32-S3 for each instruction that a RISC-V core (rv32imc) executes of the same kernel, by
#: way of Xtensa's. Espressif's ticks of nine of ESP-NN's kernels are 0.98 a Xtensa instruction of the same
#: C, 11 % more or less (core_anchors.py). Of our kernels gcc 12.2 for an ESP8266 makes 1.29 Xtensa
#: instructions for each of RISC-V's where tn_pixel_pairs does the work (with an S3's SEXT, in QEMU), and
#: other numbers elsewhere. In tn_depthwise a Xtensa's fourteen registers do not hold the loads that gcc
#: moves ahead: 2.4, and 1.41 with -fno-schedule-insns; what Espressif's gcc makes is not known, so 1.85. Of
#: additions, products and pools ESP-NN's own ratios of cycles are taken. A network with half of its cycles
#: in tn_depthwise is 20 % uncertain by all that
_ESP32_S3 = Counted(
    RV32IMC,
    ESP32_S3,
    1.27,
    0.20,
    factors={
        "tn_depthwise": 1.85,
        "tn_add_table": 1.39,
        "tn_add": 1.76,
        "tn_mul": 1.90,
        "tn_mean": 1.53,
        "tn_average_pool": 1.53,
        "tn_max_pool": 0.91,
    },
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
        return Run(total, tuple(cycles) if layers else (), 0, board.clock_hz, compiler)


def waiting(profiled: Profiled, board: Board) -> float:
    """The share of a network's cycles in which the core waits for flash."""
    lines = sum(_lines(profiled.arranged, board))
    return BOARDS[board.id].flash.wait * lines / profiled.run.total


def _lines(arranged: Arrangement, board: Board) -> Iterator[float]:
    """Lines of the flash's cache that every operator lacks."""
    memory = DataMemory.of(board, 0, arranged.arena)
    return (sum(count_lines(work, memory).values()) for work in list_work(arranged, memory))
