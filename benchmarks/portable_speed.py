"""Executed instructions of one inference on cores without DSP: the engine's portable path.

    python benchmarks/portable_speed.py [--models ../shared/models] [--only vww] [--core rv32imc]

Models of up to 20 M multiply-accumulates are compiled for the goals ram and speed, built by gcc -O2 for a
Cortex-M3, a Cortex-M0+ and a RISC-V (rv32imc), and run under Unicorn on the input of
../shared/reference/peers.md; output bytes must equal TensorFlow Lite Micro's. A third plan, of models up to
3 M, may choose among all kernels, as on cores with DSP: whether it pays to leave those out that spend memory.
Prints a table and writes results/portable_speed.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cores.build import CORTEX_M0_PLUS, CORTEX_M3, RV32IMC, Core, compiler_missing
from cores.unicorn_process import unicorn_missing
from recording import record
from rich.console import Console
from rich.table import Table
from speed import run_on

from tinynas.cost.compute import macs
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError
from tinynas.graph.tflite import read_tflite

ROOT = Path(__file__).resolve().parent.parent
_MOST_MACS = 20_000_000
#: several times as long as the others take
_MOST_MACS_OF_DSP_KERNELS = 3_000_000
CORES = (CORTEX_M3, CORTEX_M0_PLUS, RV32IMC)


@dataclass(frozen=True)
class Plan:
    """What a plan is made for; whether it takes kernels made for DSP instructions, in their portable form."""

    goal: Goal
    dsp_kernels: bool = False

    def __str__(self) -> str:
        return f"{self.goal.value}, DSP's kernels" if self.dsp_kernels else self.goal.value


def plans(total: int) -> list[Plan]:
    """What a model of `total` multiply-accumulates is compiled for."""
    usual = [Plan(Goal.RAM), Plan(Goal.SPEED)]
    return usual + [Plan(Goal.SPEED, dsp_kernels=True)] * (total <= _MOST_MACS_OF_DSP_KERNELS)


@dataclass(frozen=True)
class PortableSpeed:
    """One model on one core by one plan. `macs` are the .tflite's."""

    model: str
    core: str
    goal: str
    dsp_kernels: bool
    macs: int
    instructions: int
    arena_bytes: int
    constants_bytes: int
    code_bytes: int


def measure(model: Path, core: Core, plan: Plan) -> PortableSpeed:
    """A model on a core.

    Raises:
        ModelError: the engine cannot run the model.
        AssertionError: an output byte differs from TFLM's.
    """
    with tempfile.TemporaryDirectory() as folder:
        emitted, counted = run_on(core, model, plan.goal, Path(folder), dsp=plan.dsp_kernels)
        firmware = emitted.firmware
        return PortableSpeed(
            model=model.stem,
            core=core.cpu,
            goal=plan.goal.value,
            dsp_kernels=plan.dsp_kernels,
            macs=macs(emitted.original),
            instructions=counted.total,
            arena_bytes=emitted.plan.arena,
            constants_bytes=firmware.section_bytes(".constants"),
            code_bytes=firmware.section_bytes(".engine") + firmware.section_bytes(".model_code"),
        )


def show(speeds: Iterable[PortableSpeed], cores: Sequence[Core], console: Console) -> None:
    """One row a model and plan, the cores side by side."""
    table = Table(title="Executed instructions of one inference, and of each multiply-accumulate")
    table.add_column("model")
    table.add_column("for")
    for heading in ("arena B", *(text for core in cores for text in (core.cpu, "a MAC"))):
        table.add_column(heading, justify="right")
    by_row: dict[tuple[str, Plan], dict[str, PortableSpeed]] = {}
    for each in speeds:
        row = by_row.setdefault((each.model, Plan(Goal(each.goal), each.dsp_kernels)), {})
        row[each.core] = each
    for (model, plan), row in by_row.items():
        found = [row[core.cpu] for core in cores]
        figures = [(f"{each.instructions:,}", f"{each.instructions / each.macs:.2f}") for each in found]
        table.add_row(
            model.split("__")[-1],
            str(plan),
            f"{found[0].arena_bytes:,}",
            *(text for two in figures for text in two),
        )
    console.print(table)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--only", default="", help="models whose name holds this; nothing is recorded")
    parser.add_argument(
        "--core", choices=[core.cpu for core in CORES], help="this alone; nothing is recorded"
    )
    options = parser.parse_args()
    cores = [core for core in CORES if options.core in (None, core.cpu)]
    for missing in (*map(compiler_missing, cores), unicorn_missing()):
        if missing:
            sys.exit(missing)
    speeds, refused = [], {}
    for file in sorted(options.models.glob("*.tflite")):
        if options.only not in file.stem or (total := macs(read_tflite(file))) > _MOST_MACS:
            continue
        try:
            for plan in plans(total):
                speeds += [measure(file, core, plan) for core in cores]
        except ModelError as error:
            refused[file.stem] = str(error)
        print(file.stem, file=sys.stderr)
    if not speeds:
        sys.exit("no .tflite file there: name the folder with --models")
    show(speeds, cores, Console(width=None if sys.stdout.isatty() else 200))
    if not options.only and cores == list(CORES):
        compilers = {core.cpu: core.toolchain.version() for core in cores}
        models = [asdict(each) for each in speeds]
        record("portable_speed", {"compilers": compilers, "models": models, "refused": refused})


if __name__ == "__main__":
    main()
