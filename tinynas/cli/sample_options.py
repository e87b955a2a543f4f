"""The options that say which samples a model of somebody else's is calibrated and compared on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tinynas.cli.console import DATA_HELP
from tinynas.errors import RequestError

if TYPE_CHECKING:
    from tinynas.pipeline.samples import SampleSource

PANEL = "Samples for a model of others (an .onnx needs them)"

_DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help=f"What it was trained on: {DATA_HELP} Or an .npy of samples as the model takes them.",
        rich_help_panel=PANEL,
    ),
]
_DataDirOption = Annotated[
    str | None,
    typer.Option(
        "--data-dir", help="Folder with NAME.npz (cifar10.npz), instead of a download.", rich_help_panel=PANEL
    ),
]
_MeanOption = Annotated[
    str,
    typer.Option(
        "--mean",
        help="What was taken from pixels of 0 to 1 in training: one number, or R,G,B.",
        rich_help_panel=PANEL,
    ),
]
_StdOption = Annotated[
    str,
    typer.Option(
        "--std", help="What they were then divided by: one number, or R,G,B.", rich_help_panel=PANEL
    ),
]
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "data": (_DataOption, None),
    "data_dir": (_DataDirOption, None),
    "mean": (_MeanOption, "0"),
    "std": (_StdOption, "1"),
}


def with_sample_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, whose parameter ``source`` is a `SampleSource`, with the options that make one instead.

    Without ``--data`` it is an empty one.
    """
    # `SampleSource` is known to type checkers alone: its module would slow every command down
    hints = get_type_hints(command, localns={"SampleSource": object}, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "source"
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        command(source=_source(**{name: values.pop(name) for name in _OPTIONS}), **values)

    # typer reads both
    wrapper.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in (*own, *options)} | {"return": None}
    return wrapper


def _source(data: str | None, data_dir: str | None, mean: str, std: str) -> SampleSource:
    from tinynas.pipeline.samples import SampleSource

    divisors = _numbers("--std", std)
    if min(divisors) <= 0:
        raise RequestError(f"--std {std}: pixels cannot be divided by that; give positive numbers")
    return SampleSource(data, Path(data_dir) if data_dir else None, _numbers("--mean", mean), divisors)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise RequestError(f"{option} {text}: give a number, or one a channel: 0.485,0.456,0.406") from None
