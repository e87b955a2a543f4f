"""``tinynas build`` and ``tinynas deploy``: firmware of a model, on a board or a virtual one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board
from tinynas.cli.console import (
    BoardOption,
    JsonOption,
    make_table,
    output,
    percent,
    print_facts,
    print_json,
    remarks,
    say,
)
from tinynas.errors import RequestError
from tinynas.units import format_size

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.pipeline.deploy import Built, Deployment, Places
    from tinynas.pipeline.subject import Subject

ModelArgument = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A run's folder, or an int8 .tflite file.", show_default=False),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Where it is built. Default: firmware/lib and .pio/build."
    ),
]
SamplesOption = Annotated[int, typer.Option("--samples", min=1, help="Samples to compare outputs on.")]


def build(
    model: ModelArgument,
    board: BoardOption,
    folder: FolderOption = None,
    samples: SamplesOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Build firmware of a model for a board with PlatformIO, after proving the C on this computer."""
    from tinynas.pipeline.deploy import places

    _, built = _built(model, board, places(folder), samples)
    print_json(_built_dict(built)) if as_json else print_facts(output(), _built_facts(built))


def deploy(
    model: ModelArgument,
    board: BoardOption,
    port: Annotated[
        str | None, typer.Option("--port", help="The board's serial port, or a pyserial URL.")
    ] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Run on the virtual board: times are modelled.")
    ] = False,
    samples: SamplesOption = 100,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Inferences to time.")] = 10,
    layers: Annotated[bool, typer.Option("--layers", help="Cycles of every operator, too.")] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build firmware of a model, run it on a board, and show predicted beside measured."""
    from tinynas.pipeline.deploy import connected, flash_board, measure_board, places, save_deployment

    if virtual and port is not None:
        raise RequestError("--virtual and --port name two boards: use one of them")
    where = places(folder)
    subject, built = _built(model, board, where, samples)
    if not virtual:
        flash_board(built, where)
    with connected(built, port, virtual) as (line, labelled):
        found = measure_board(subject, built, line, labelled, runs=runs, layers=layers, tell=_tell)
    kept = save_deployment(found, model if model.is_dir() else built.firmware.elf.parent)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(output(), found)
        say(output(), f"kept in {kept}")
    if found.wrong_samples:
        raise typer.Exit(1)


def _built(model: Path, board: str, where: Places, samples: int) -> tuple[Subject, Built]:
    from tinynas.pipeline.deploy import build_firmware
    from tinynas.pipeline.subject import find_subject

    target = load_board(board)
    subject = find_subject(model, samples)
    return subject, build_firmware(subject, target, where, _tell)


def _tell(text: str) -> None:
    say(remarks(), text)


def _built_dict(built: Built) -> dict[str, Any]:
    return {
        "board": built.board.id,
        "environment": built.firmware.environment,
        "elf": str(built.firmware.elf),
        "arena_bytes": built.predicted_arena,
        "flash_predicted_bytes": built.predicted_flash,
        **built.size.to_dict(),
    }


def _built_facts(built: Built) -> list[tuple[str, str]]:
    size = built.size
    arena, predicted = format_size(size.arena_bytes or 0), format_size(built.predicted_arena)
    return [
        ("firmware", f"{built.firmware.elf} ({built.firmware.environment})"),
        ("arena", f"{arena} in the ELF, {predicted} predicted"),
        ("SRAM", f"{format_size(size.ram_bytes)} with stack and variables"),
        (
            "flash",
            f"{format_size(size.flash_bytes)}, {format_size(built.predicted_flash)} predicted for the model",
        ),
    ]


def _print(console: Console, found: Deployment) -> None:
    cycles, memory = found.latency, found.memory
    facts = [
        ("model", found.model),
        *_built_facts(found.built),
        (
            "board",
            f"{found.hello.board} at {found.hello.clock_hz / 1e6:g} MHz, {found.hello.kernels} kernels",
        ),
        ("times", found.labelled),
        (
            "latency",
            f"{cycles.latency_ms:.3f} ms, median of {len(cycles.cycles)} ({cycles.median:,}; "
            f"{cycles.minimum:,} to {cycles.maximum:,} cycles)",
        ),
        (
            "stack used",
            "unknown" if memory.stack_used is None else f"{memory.stack_used:,} of {memory.stack:,} B",
        ),
        ("heap", f"{memory.heap:,} B"),
        ("self-check", f"passed ({found.hello.golden_vectors} vectors in flash)"),
        (
            "outputs",
            f"{found.samples - found.wrong_samples} of {found.samples} samples give TFLite Micro's bytes",
        ),
    ]
    if found.accuracy is not None:
        facts.append(
            ("accuracy", f"{percent(found.accuracy, 2)} on the board ({found.samples} test pictures)")
        )
    print_facts(console, facts)
    if found.profile is not None:
        table = make_table(("#", "operator"), ("cycles", "share"))
        for index, (kind, spent) in enumerate(zip(found.operators, found.profile.cycles, strict=True)):
            table.add_row(str(index), kind, f"{spent:,}", percent(spent / max(found.profile.total, 1)))
        console.print(table)
