"""``tinynas build``, ``flash``, ``measure``, ``deploy``: firmware of a model, on a board or a virtual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import Board, load_board
from tinynas.cli.console import BoardOption, JsonOption, ModelOptimizeOption, output, print_json, say
from tinynas.cli.idle_options import refuse_idle
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.sample_options import SampleOptions

if TYPE_CHECKING:
    from tinynas.pipeline.subject import Subject

MODEL_HELP = "A run's folder or a pick's, an int8 .tflite, or an .onnx with --data."
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False)]
PortOption = Annotated[
    str | None,
    typer.Option("--port", help="The board's serial port, or a pyserial URL. Default: the only one."),
]
VirtualOption = Annotated[
    bool, typer.Option("--virtual", help="Run on the virtual board: times are modelled.")
]
SamplesOption = Annotated[int, typer.Option("--samples", min=1, help="Samples to compare outputs on.")]
RunsOption = Annotated[int, typer.Option("--runs", min=1, help="Inferences to time.")]
LayersOption = Annotated[bool, typer.Option("--layers", help="Print the cycles of every operator, too.")]
#: parameters that say on which samples a model is compared
_SAMPLING = ("samples", *(field.name for field in fields(SampleOptions)))


@dataclass(frozen=True)
class FirmwareOptions(SampleOptions):
    """How firmware is made of a model, and where."""

    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where it is built. Default: where plain `pio run` does it.",
        ),
    ] = None
    optimize: ModelOptimizeOption = None

    def subject(self, model: Path, board: Board, samples: int) -> Subject:
        """What is built of `model` for `board`, to be compared on so many samples.

        Raises:
            RequestError, ModelError, DataError, ToolchainError: as `find_subject`.
        """
        from tinynas.pipeline.subject import find_subject

        return find_subject(
            model, board, samples, self.source(own_pictures=model.is_dir()), goal=self.optimize
        )


@with_option_groups
def build(
    model: ModelArgument,
    board: BoardOption,
    samples: SamplesOption = 20,
    as_json: JsonOption = False,
    *,
    asked: FirmwareOptions,
) -> None:
    """Build firmware of a model for a board with PlatformIO, after proving the C on this computer."""
    from tinynas.cli.findings import print_findings
    from tinynas.cli.progress import watching
    from tinynas.pipeline.build import build_firmware, places

    target = load_board(board)
    subject = asked.subject(model, target, samples)
    with watching() as watch:
        built = build_firmware(subject, target, places(asked.folder), watch).to_dict()
    print_json(built) if as_json else print_findings(output(), built)


@with_option_groups
def flash(
    context: typer.Context,
    firmware: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL|FIRMWARE.elf",
            help="A model as for build, or a finished firmware.",
            show_default=False,
        ),
    ],
    board: BoardOption,
    port: Annotated[
        str | None, typer.Option("--port", help="For boards that are written over their serial port.")
    ] = None,
    samples: SamplesOption = 20,
    as_json: JsonOption = False,
    *,
    asked: FirmwareOptions,
) -> None:
    """Write firmware into the board that is connected: a model's, which is built first, or any .elf file."""
    from tinynas.cli.progress import watching
    from tinynas.pipeline.build import build_firmware, is_firmware, places
    from tinynas.pipeline.target import PortTarget

    target = load_board(board)
    if is_firmware(firmware):
        making = (*_SAMPLING, "folder", "optimize")
        refuse_idle(context, making, "a finished firmware is written as it is", "name a model")
    if port is not None and "://" in port:
        refuse_idle(context, ["port"], "no firmware is written through a URL")
    elf = firmware
    with watching() as watch:
        if not is_firmware(firmware):
            subject = asked.subject(firmware, target, samples)
            built = build_firmware(subject, target, places(asked.folder), watch)
            elf = built.firmware.elf
        watch.note(f"writing {elf} into {target.id}")
        PortTarget(port).flash(elf, target)
    if as_json:
        print_json({"board": target.id, "elf": str(elf), "flashed": True})
    else:
        say(output(), f"{elf} is on {target.id}; `tinynas measure --board {target.id}` asks it")


@with_option_groups
def measure(
    context: typer.Context,
    board: BoardOption,
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL|FIRMWARE.elf",
            help="The model that is on the board, to compare outputs with; for --virtual also a firmware.",
            show_default=False,
        ),
    ] = None,
    port: PortOption = None,
    virtual: VirtualOption = False,
    layers: LayersOption = False,
    runs: RunsOption = 10,
    samples: SamplesOption = 100,
    as_json: JsonOption = False,
    *,
    asked: FirmwareOptions,
) -> None:
    """Ask a board that runs our firmware: latency, memory, its own check and, given MODEL, its outputs.

    With --virtual the firmware that `tinynas build` made last for the board runs on the virtual one.
    """
    from tinynas.cli.progress import watching
    from tinynas.pipeline.build import is_firmware
    from tinynas.pipeline.measure import measure as ask
    from tinynas.pipeline.target import find_target

    target, way = load_board(board), find_target(port, virtual)
    finished = model if model is not None and is_firmware(model) else None
    if model is None or finished is not None:
        refuse_idle(context, _SAMPLING, "no outputs are compared", "name a model")
    if finished is not None or not virtual:
        refuse_idle(context, ["folder"], "only --virtual without a firmware looks for one there")
    subject = None
    if model is not None and finished is None:
        subject = asked.subject(model, target, samples)
    elf = way.firmware(finished, target, asked.folder)
    with watching() as watch, way.connect(elf, target) as line:
        found = ask(
            line,
            target,
            way,
            watch,
            subject=subject,
            goal=asked.optimize,
            runs=runs,
            layers=layers,
        )
    _answer(found.to_dict(), layers, as_json)


@with_option_groups
def deploy(
    model: ModelArgument,
    board: BoardOption,
    port: PortOption = None,
    virtual: VirtualOption = False,
    samples: SamplesOption = 100,
    runs: RunsOption = 10,
    layers: LayersOption = False,
    as_json: JsonOption = False,
    *,
    asked: FirmwareOptions,
) -> None:
    """Build firmware of a model, run it on a board, and show predicted beside measured.

    What build, flash and measure do one after the other; kept in the run, which `tinynas show` prints.
    """
    from tinynas.cli.progress import watching
    from tinynas.pipeline.build import places
    from tinynas.pipeline.deploy import deploy as put
    from tinynas.pipeline.deploy import save_deployment
    from tinynas.pipeline.target import find_target

    target, way = load_board(board), find_target(port, virtual)
    subject = asked.subject(model, target, samples)
    # nothing is built for a board that is not there
    way.require(target)
    with watching() as watch:
        found = put(subject, target, way, places(asked.folder), watch, runs=runs)
        watch.note(f"kept in {save_deployment(found, way, model)}")
    _answer(found.to_dict(), layers, as_json)


def _answer(found: Mapping[str, Any], layers: bool, as_json: bool) -> None:
    """The findings, and exit status 1 where an output is not the model's."""
    from tinynas.cli.findings import print_findings

    print_json(found) if as_json else print_findings(output(), found, layers=layers)
    if found.get("wrong_samples"):
        raise typer.Exit(1)
