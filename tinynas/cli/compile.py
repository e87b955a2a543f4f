"""``tinynas compile``: an int8 .tflite file as a C library that runs in a fraction of the memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinynas.cli.console import JsonOption, OptimizeOption, output, print_facts, print_json, say
from tinynas.cli.idle_options import refuse_idle
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.sample_options import SampleOptions
from tinynas.engine.goals import Aim, Goal
from tinynas.units import format_size

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.pipeline.compile import CompileReport


@with_option_groups
def compile_(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="An int8 .tflite, yours or anyone's, or an .onnx with --data.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The new folder of the C library.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="Begins the names of the C functions and files: NAME_invoke().")
    ] = "tinynas",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Build it for this computer and compare every output byte with TensorFlow Lite Micro.",
        ),
    ] = False,
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs", metavar="FILE.npy", help="With --check: samples to compare on, beside random ones."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="With --check: random samples to compare on.")
    ] = 100,
    keep_float_io: Annotated[
        bool, typer.Option("--keep-float-io", help="Keep float inputs and outputs where the model has them.")
    ] = False,
    optimize: OptimizeOption = Goal.RAM,
    arena: Annotated[
        int | None,
        typer.Option(
            "--arena", min=1, metavar="BYTES", help="The most that the arena may take, for speed too."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that tinynas compiled before.")
    ] = False,
    as_json: JsonOption = False,
    *,
    given: SampleOptions,
) -> None:
    """Compile an int8 model to C: no heap, one static arena, TensorFlow Lite's outputs byte for byte.

    For a core without DSP instructions (Cortex-M0+, M3) `ram` is the fastest goal, too.
    """
    from tinynas.pipeline.compile import Check, compile_model

    if not check:
        refuse_idle(context, ["inputs", "samples"], "no outputs are compared", "add --check")
    asked = Check(samples, inputs) if check else None
    aim = Aim(optimize, arena)
    report = compile_model(
        model,
        folder,
        name,
        keep_float_io=keep_float_io,
        source=given.source(),
        aim=aim,
        check=asked,
        force=force,
    )
    print_json(report.to_dict()) if as_json else _print_report(output(), report)


def _trade(report: CompileReport) -> str:
    """What the goal cost."""
    if report.arena_bytes == report.least_arena_bytes:
        return f"{report.goal.value}, in the smallest arena found"
    more = report.arena_bytes - report.least_arena_bytes
    return f"{report.goal.value}, in {more:,} B more than the smallest arena"


def _print_report(console: Console, report: CompileReport) -> None:
    from tinynas.cli.findings import print_goals

    flash = report.flash
    tflm = report.tflm_arena_bytes
    arena = format_size(report.arena_bytes)
    if tflm is not None:
        arena += f", {tflm / report.arena_bytes:.1f} times less than TensorFlow Lite Micro ({tflm:,} B here)"
    facts = [
        ("model", report.model),
        ("operators", f"{report.operators} ({report.operators_in_file} in the file)"),
        ("arena", arena),
        ("optimized for", _trade(report)),
        ("flash, constants", format_size(flash.total)),
        ("  weights", format_size(flash.weights)),
        ("  quantisation", format_size(flash.quantisation)),
        ("  tables", format_size(flash.tables)),
        ("  schedule", format_size(flash.schedule)),
    ]
    if report.checked_samples:
        facts.append(("checked", f"{report.checked_samples} samples give TensorFlow Lite Micro's bytes"))
    facts += [
        ("library", f"{report.folder} ({len(report.files)} files)"),
        ("functions", f"{report.name}_input(), {report.name}_invoke(), {report.name}_output()"),
    ]
    print_facts(console, facts)
    say(console)
    print_goals(console, [offer.to_dict() for offer in report.offers], report.goal.value)
