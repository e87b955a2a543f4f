"""Executed instructions of one inference on a Cortex-M7, operator by operator, beside the best peers'.

    python benchmarks/instructions.py [--models ../shared/models] [--only vww] [--core m4] [--goal speed]

Each model is compiled by tinynas, built by arm-none-eabi-gcc -O2 for a bare board and run under Unicorn on
the input of ../shared/reference/peers.md, one inference of which every instruction is counted. Its output
bytes must equal TensorFlow Lite Micro's, and QEMU's own count the same number. Prints a table a model and
writes benchmarks/results/instructions.json, with the core and the goal in its name where they are others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cores.build import CORTEX_M4, CORTEX_M7, Core, compiler_missing
from cores.emitted import Emitted, build_emitted, differing_outputs, firmware_inputs, lcg_inputs
from cores.qemu import emulator_missing, run_in_qemu
from cores.stack import stack_bound
from cores.unicorn_process import Count, count, unicorn_missing
from published import TFLM_CMSIS_NN, TINYENGINE_FIXED, TINYENGINE_FLOAT, Peer
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.cost.compute import macs, operator_macs
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError
from tinynas.graph import DType, Operator

ROOT = Path(__file__).resolve().parent.parent
CORES = {"m7": CORTEX_M7, "m4": CORTEX_M4}
#: QEMU's timer ticks once in 40 instructions, and its count begins and ends at a block's border
_AGREEMENT = 200


@dataclass(frozen=True)
class OperatorCost:
    """What one operator took: `window` is ``5x5/2``, kernel and stride; `shape` the output's."""

    kind: str
    window: str
    shape: tuple[int, ...]
    kernel: str
    macs: int
    instructions: int

    @property
    def per_mac(self) -> float | None:
        """Instructions for each multiply-accumulate."""
        return round(self.instructions / self.macs, 3) if self.macs else None


@dataclass(frozen=True)
class ModelCost:
    """One model. `file_macs` are the .tflite's, `macs` what is left of them without dead channels.

    `instructions_float_io` is the total where the file's floats are converted on the board too, None where
    it has none; the peers are counted so. `code_bytes` is the flash of the engine and of what it takes from
    the compiler's libraries, `constants_bytes` that of weights and tables.
    """

    model: str
    core: str
    file_macs: int
    macs: int
    instructions: int
    instructions_qemu: int
    instructions_float_io: int | None
    scheduler: int
    steps: int
    arena_bytes: int
    code_bytes: int
    constants_bytes: int
    stack_bound_bytes: int
    stack_path: tuple[str, ...]
    stack_measured_bytes: int
    operators: tuple[OperatorCost, ...]
    functions: dict[str, int]

    @property
    def per_mac(self) -> float:
        """Instructions for each multiply-accumulate of the .tflite, as the peers are counted."""
        return round(self.instructions / self.file_macs, 3)


def measure(model: Path, core: Core, folder: Path, goal: Goal) -> ModelCost:
    """Every figure of one model; files go through `folder`.

    Raises:
        ModelError: the engine cannot run the model.
        AssertionError: outputs, counts, arena or stack are not what they must be.
    """
    emitted = build_emitted(model.read_bytes(), model.name, core, folder, goal=goal)
    inputs = lcg_inputs(emitted)
    given = firmware_inputs(emitted, inputs)
    counted = count(emitted.firmware, given[0], folder)
    emulated = run_in_qemu(emitted.firmware, given, folder)
    bound = stack_bound(emitted.firmware, "run_model", set(emitted.plan.kernels))
    for emulator, run in (("Unicorn", counted.run), ("QEMU", emulated)):
        different = differing_outputs(emitted, inputs, run.outputs)
        _check(not different, f"{model.stem}: output differs from TFLM's ({emulator})")
    _check(
        abs(emulated.instructions[0] - counted.total) <= _AGREEMENT,
        f"{model.stem}: QEMU counts {emulated.instructions[0]:,} and Unicorn {counted.total:,} instructions",
    )
    _check(
        emulated.stack[0] <= bound.bytes, f"{model.stem}: {emulated.stack[0]} bytes of stack, bound {bound}"
    )
    arena = emitted.arena_bytes()
    _check(arena == emitted.plan.arena, f"{model.stem}: {arena} bytes of arena, planned {emitted.plan.arena}")
    operators = tuple(_operator_costs(emitted, counted))
    return ModelCost(
        model=model.stem,
        core=core.cpu,
        file_macs=macs(emitted.original),
        macs=sum(each.macs for each in operators),
        instructions=counted.total,
        instructions_qemu=emulated.instructions[0],
        instructions_float_io=_with_float_io(model, core, folder / "float", goal),
        scheduler=counted.scheduler,
        steps=sum(step.count for step in emitted.plan.steps),
        arena_bytes=emitted.plan.arena,
        code_bytes=emitted.firmware.section_bytes(".engine") + emitted.firmware.section_bytes(".model_code"),
        constants_bytes=emitted.firmware.section_bytes(".constants"),
        stack_bound_bytes=bound.bytes,
        stack_path=bound.path,
        stack_measured_bytes=emulated.stack[0],
        operators=operators,
        functions=dict(counted.functions),
    )


def _operator_costs(emitted: Emitted, counted: Count) -> Iterator[OperatorCost]:
    graph = emitted.plan.graph
    for index, (operator, kernel) in enumerate(zip(graph.operators, emitted.plan.kernels, strict=True)):
        yield OperatorCost(
            operator.kind.value,
            _window(operator),
            graph.tensors[operator.outputs[0]].shape[1:],
            kernel,
            operator_macs(graph, operator),
            counted.operators.get(index, 0),
        )


def _with_float_io(model: Path, core: Core, folder: Path, goal: Goal) -> int | None:
    """QEMU's count of the model with its QUANTIZE and DEQUANTIZE left in, if it has any."""
    emitted = build_emitted(model.read_bytes(), model.name, core, folder, keep_float_io=True, goal=goal)
    ends = (*emitted.plan.graph.inputs, *emitted.plan.graph.outputs)
    if all(emitted.plan.graph.tensors[i].dtype is DType.INT8 for i in ends):
        return None
    inputs = lcg_inputs(emitted)
    run = run_in_qemu(emitted.firmware, firmware_inputs(emitted, inputs), folder)
    different = differing_outputs(emitted, inputs, run.outputs)
    _check(not different, f"{model.stem}: output differs from TFLM's (float ends)")
    return run.instructions[0]


def by_kind(cost: ModelCost) -> dict[str, float]:
    """Instructions a multiply-accumulate of each kind of layer, such as ``CONV_2D 1x1``."""
    sums: dict[str, tuple[int, int]] = {}
    for each in cost.operators:
        if each.macs:
            name = " ".join(filter(None, (each.kind, each.window.partition("/")[0])))
            instructions, products = sums.get(name, (0, 0))
            sums[name] = (instructions + each.instructions, products + each.macs)
    return {name: round(total / products, 2) for name, (total, products) in sums.items()}


def _window(operator: Operator) -> str:
    if operator.window is None:
        return ""
    (rows, columns), (down, right) = operator.window.kernel, operator.window.stride
    return f"{rows}x{columns}/{down}" if down == right else f"{rows}x{columns}/{down}x{right}"


def show(cost: ModelCost, console: Console) -> None:
    """A table of the operators, and a line for each system."""
    table = Table(title=f"{cost.model} on {cost.core}", title_justify="left")
    for heading, justify in zip(
        ("", "operator", "window", "output", "MACs", "instructions", "%", "per MAC"),
        ("right", "left", "left", "left", *("right",) * 4),
        strict=True,
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for index, each in enumerate(cost.operators):
        table.add_row(
            str(index),
            each.kind,
            each.window,
            "x".join(map(str, each.shape)),
            f"{each.macs:,}" if each.macs else "",
            f"{each.instructions:,}",
            f"{100 * each.instructions / cost.instructions:.1f}",
            f"{each.per_mac:.2f}" if each.per_mac else "",
        )
    console.print(table)
    print(
        f"tinynas: {cost.instructions:,} instructions, {cost.per_mac:.2f} per MAC "
        f"(scheduler {cost.scheduler:,} for {cost.steps:,} steps); arena {cost.arena_bytes:,} B, "
        f"code {cost.code_bytes:,} B, constants {cost.constants_bytes:,} B, "
        f"stack {cost.stack_bound_bytes} B at most ({cost.stack_measured_bytes} B seen)"
    )
    print("per MAC:", ", ".join(f"{kind} {per_mac:.2f}" for kind, per_mac in by_kind(cost).items()))
    if cost.instructions_float_io is not None:
        print(f"tinynas with the file's float input and output: {cost.instructions_float_io:,} instructions")
    for system, peer in peers(cost.model):
        if peer.instructions is not None:
            ratio = peer.instructions / (cost.instructions_float_io or cost.instructions)
            print(f"{system}: {peer.instructions:,} instructions, {ratio:.2f} times ours")
    print()


def peers(model: str) -> Iterator[tuple[str, Peer]]:
    """Who else was counted on this model."""
    systems = {
        "TFLM + CMSIS-NN": TFLM_CMSIS_NN,
        "TinyEngine, fixed point": TINYENGINE_FIXED,
        "TinyEngine, float (not exact)": TINYENGINE_FLOAT,
    }
    yield from ((name, figures[model]) for name, figures in systems.items() if model in figures)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--only", default="", help="models whose name holds this; nothing is recorded")
    parser.add_argument("--core", choices=CORES, default="m7")
    parser.add_argument("--goal", choices=[goal.value for goal in Goal], default=Goal.RAM.value)
    options = parser.parse_args()
    for missing in (compiler_missing(), emulator_missing(), unicorn_missing()):
        if missing:
            sys.exit(missing)
    files = [file for file in sorted(options.models.glob("*.tflite")) if options.only in file.stem]
    if not files:
        sys.exit("no .tflite file there: name the folder with --models")
    costs, refused = [], {}
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            try:
                costs.append(measure(file, CORES[options.core], Path(folder), Goal(options.goal)))
            except ModelError as error:
                refused[file.stem] = str(error)
                print(error, "\n")
                continue
        show(costs[-1], Console(width=None if sys.stdout.isatty() else 120))
    if not options.only:
        suffix = "".join(f"_{each}" for each in (options.core, options.goal) if each not in ("m7", "ram"))
        record(f"instructions{suffix}", {"models": [_figures(cost) for cost in costs], "refused": refused})


def _figures(cost: ModelCost) -> dict[str, object]:
    return {
        **asdict(cost),
        "per_mac": cost.per_mac,
        "per_mac_by_kind": by_kind(cost),
        "peers": {system: asdict(peer) for system, peer in peers(cost.model)},
    }


def _check(holds: bool, otherwise: str) -> None:
    """An assertion that `python -O` keeps."""
    if not holds:
        raise AssertionError(otherwise)


if __name__ == "__main__":
    main()
