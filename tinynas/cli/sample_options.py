"""The options that say which samples a model of somebody else's is calibrated and compared on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinynas.cli.console import DATA_HELP
from tinynas.errors import RequestError

if TYPE_CHECKING:
    from tinynas.pipeline.samples import SampleSource

PANEL = "Samples for a model of others (an .onnx needs them)"


@dataclass(frozen=True)
class SampleOptions:
    """A group of options (`with_option_groups`)."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help=f"What it was trained on: {DATA_HELP} Or an .npy of samples as the model takes them.",
            rich_help_panel=PANEL,
        ),
    ] = None
    data_dir: Annotated[
        str | None,
        typer.Option(
            "--data-dir",
            help="Folder with NAME.npz (cifar10.npz), instead of a download.",
            rich_help_panel=PANEL,
        ),
    ] = None
    mean: Annotated[
        str,
        typer.Option(
            "--mean",
            help="What was taken from pixels of 0 to 1 in training: one number, or R,G,B.",
            rich_help_panel=PANEL,
        ),
    ] = "0"
    std: Annotated[
        str,
        typer.Option(
            "--std", help="What they were then divided by: one number, or R,G,B.", rich_help_panel=PANEL
        ),
    ] = "1"

    def source(self, *, own_pictures: bool = False) -> SampleSource:
        """The samples meant; an empty source without ``--data``.

        A model with `own_pictures` needs none, but those may lie in ``--data-dir``.

        Raises:
            RequestError: pixels cannot be normalised so, or there are none.
        """
        from tinynas.pipeline.samples import SampleSource

        place = Path(self.data_dir) if self.data_dir else None
        sought = None if own_pictures and self.data is None else place
        is_plain = (sought, self.mean, self.std) == (None, SampleOptions.mean, SampleOptions.std)
        if self.data is None and not is_plain:
            raise RequestError(
                "--data-dir, --mean and --std are of the pictures of --data: name those, or leave them out"
            )
        divisors = _numbers("--std", self.std)
        if min(divisors) <= 0:
            raise RequestError(f"--std {self.std}: pixels cannot be divided by that; give positive numbers")
        found = SampleSource(self.data, place, _numbers("--mean", self.mean), divisors)
        if found.array is not None and not is_plain:
            raise RequestError(
                f"--data-dir, --mean and --std are of pictures, and {self.data} holds samples as the model "
                "takes them: leave them out"
            )
        return found


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise RequestError(f"{option} {text}: give a number, or one a channel: 0.485,0.456,0.406") from None
