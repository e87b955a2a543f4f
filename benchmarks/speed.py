"""Executed instructions and modelled cycles of one inference of every model, beside the best peers'.

    python benchmarks/speed.py [--models ../shared/models] [--only vww] [--operators]

Every model is compiled for each goal of `tinynas compile --optimize`, built by arm-none-eabi-gcc -O2 for a
Cortex-M7, and run under Unicorn on the input of ../shared/reference/peers.md; its output bytes must equal
TensorFlow Lite Micro's. Cycles are a model without caches and wait states (cores/cycles.py). Prints one
table, with --operators one for each model too, and writes benchmarks/results/speed.json, with which
tests/engine/test_speed.py compares. Cores without DSP: portable_speed.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cores.build import CORTEX_M7, Core, compiler_missing
from cores.emitted import Emitted, build_emitted, differing_outputs, firmware_inputs, lcg_inputs
from cores.stack import stack_bound
from cores.unicorn_process import Count, count, unicorn_missing
from published import F746_MS, TFLM_CMSIS_NN, TINYENGINE_FIXED
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.cost.compute import macs, operator_macs
from tinynas.engine.c_text import describe
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
_F746_HZ = 216_000_000
#: cores whose cycles are modelled
_M7, _M4 = "cortex-m7", "cortex-m4"
#: bytes of arena in which the fastest plan is measured, too, where it takes more by itself
LIMITS = {"tinyengine__vww": 32_000}


@dataclass(frozen=True)
class OperatorSpeed:
    """One operator: what it is, its kernel, and what it takes."""

    what: str
    kernel: str
    macs: int
    instructions: int
    cycles_m7: int
    cycles_m4: int


@dataclass(frozen=True)
class Speed:
    """One model compiled for one goal, in an arena of at most `arena_limit` bytes.

    `macs` are the .tflite's, `stack_bytes` the most that an inference can need (cores/stack.py).
    """

    model: str
    goal: str
    arena_limit: int | None
    macs: int
    instructions: int
    cycles_m7: int
    cycles_m4: int
    arena_bytes: int
    constants_bytes: int
    code_bytes: int
    stack_bytes: int
    operators: tuple[OperatorSpeed, ...]

    @property
    def f746_ms(self) -> float:
        """Milliseconds of the M7 cycles at 216 MHz."""
        return self.cycles_m7 / _F746_HZ * 1000


def measure(model: Path, goal: Goal, folder: Path, arena: int | None = None) -> Speed:
    """One model; files go through `folder`.

    Raises:
        ModelError: the engine cannot run the model.
        AssertionError: an output byte differs from TFLM's.
    """
    emitted, counted = run_on(CORTEX_M7, model, goal, folder, arena=arena, cycles_of=(_M7, _M4))
    graph, m7, m4 = emitted.plan.graph, counted.cycles[_M7], counted.cycles[_M4]
    operators = tuple(
        OperatorSpeed(
            describe(graph, operator),
            emitted.plan.kernels[index],
            operator_macs(graph, operator),
            counted.operators.get(index, 0),
            m7.get(index, 0),
            m4.get(index, 0),
        )
        for index, operator in enumerate(graph.operators)
    )
    return Speed(
        model=model.stem,
        goal=goal.value,
        arena_limit=arena,
        macs=macs(emitted.original),
        instructions=counted.total,
        cycles_m7=sum(m7.values()),
        cycles_m4=sum(m4.values()),
        arena_bytes=emitted.plan.arena,
        constants_bytes=emitted.firmware.section_bytes(".constants"),
        code_bytes=emitted.firmware.section_bytes(".engine") + emitted.firmware.section_bytes(".model_code"),
        stack_bytes=stack_bound(emitted.firmware, "run_model", set(emitted.plan.kernels)).bytes,
        operators=operators,
    )


def run_on(
    core: Core,
    model: Path,
    goal: Goal,
    folder: Path,
    dsp: bool | None = None,
    arena: int | None = None,
    cycles_of: Sequence[str] = (),
) -> tuple[Emitted, Count]:
    """One model as compiled for `core`, and what its inference took; files go through `folder`.

    Planned for DSP instructions where `core` has them, unless `dsp` says, and for `arena` bytes if given.
    Cycles are counted of the cores `cycles_of`.

    Raises:
        ModelError: the engine cannot run the model.
        AssertionError: an output byte differs from TFLM's.
    """
    emitted = build_emitted(model.read_bytes(), model.name, core, folder, goal=goal, dsp=dsp, arena=arena)
    inputs = lcg_inputs(emitted)
    counted = count(emitted.firmware, firmware_inputs(emitted, inputs)[0], folder, cycles_of=cycles_of)
    if differing_outputs(emitted, inputs, counted.run.outputs):
        raise AssertionError(f"{model.stem}: output differs from TFLM's on a {core.cpu}")
    return emitted, counted


def show(speeds: Iterable[Speed], console: Console) -> None:
    """The table."""
    table = Table(title="One inference; cycles modelled without caches and wait states", title_justify="left")
    table.add_column("model")
    table.add_column("for")
    for heading in (
        *("instructions", "a MAC", "M7 cycles", "F746 ms", "M4 cycles", "arena B", "stack B", "constants B"),
        *("TFLM + CMSIS-NN", "times ours", "TinyEngine", "Plumerai F746 ms"),
    ):
        table.add_column(heading, justify="right")
    for each in speeds:
        tflm, tiny = TFLM_CMSIS_NN.get(each.model), TINYENGINE_FIXED.get(each.model)
        theirs = tflm.instructions if tflm else None
        table.add_row(
            each.model.split("__")[-1],
            each.goal + (f", {each.arena_limit:,} B" if each.arena_limit else ""),
            f"{each.instructions:,}",
            f"{each.instructions / each.macs:.2f}",
            f"{each.cycles_m7:,}",
            f"{each.f746_ms:.1f}",
            f"{each.cycles_m4:,}",
            f"{each.arena_bytes:,}",
            f"{each.stack_bytes:,}",
            f"{each.constants_bytes:,}",
            f"{theirs:,}" if theirs else "",
            f"{theirs / each.instructions:.2f}" if theirs else "",
            f"{tiny.instructions:,}" if tiny and tiny.instructions else "",
            f"{F746_MS[each.model]:.1f}" if each.model in F746_MS else "",
        )
    console.print(table)


def show_operators(speed: Speed, console: Console) -> None:
    """One model, operator by operator."""
    table = Table(title=f"{speed.model}, {speed.goal}", title_justify="left")
    table.add_column("operator")
    table.add_column("kernel")
    for heading in ("MACs", "instructions", "a MAC", "M7 cycles", "M4 cycles"):
        table.add_column(heading, justify="right")
    for each in speed.operators:
        table.add_row(
            each.what,
            each.kernel,
            f"{each.macs:,}" if each.macs else "",
            f"{each.instructions:,}",
            f"{each.instructions / each.macs:.2f}" if each.macs else "",
            f"{each.cycles_m7:,}",
            f"{each.cycles_m4:,}",
        )
    console.print(table)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--only", default="", help="models whose name holds this; nothing is recorded")
    parser.add_argument("--operators", action="store_true", help="a table of each model's operators, too")
    options = parser.parse_args()
    for missing in (compiler_missing(), unicorn_missing()):
        if missing:
            sys.exit(missing)
    files = [file for file in sorted(options.models.glob("*.tflite")) if options.only in file.stem]
    if not files:
        sys.exit("no .tflite file there: name the folder with --models")
    console = Console(width=None if sys.stdout.isatty() else 200)
    speeds, refused = [], {}
    for file in files:
        limited = [(Goal.SPEED, LIMITS[file.stem])] if file.stem in LIMITS else []
        for goal, arena in [*((goal, None) for goal in Goal), *limited]:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    speeds.append(measure(file, goal, Path(folder), arena))
                except ModelError as error:
                    refused[file.stem] = str(error)
                    break
            print(f"{file.stem}, {goal.value}: {speeds[-1].instructions:,} instructions", file=sys.stderr)
            if options.operators:
                show_operators(speeds[-1], console)
    show(speeds, console)
    for sentence in refused.values():
        print(sentence)
    if not options.only:
        figures = [{**asdict(each), "f746_ms": round(each.f746_ms, 2)} for each in speeds]
        record("speed", {"compiler": CORTEX_M7.toolchain.version(), "models": figures, "refused": refused})


if __name__ == "__main__":
    main()
