"""Where a result is deployed, if anywhere: options of `search` and `pick`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tinynas.errors import RequestError

if TYPE_CHECKING:
    from tinynas.pipeline.deploy_stage import Onto


@dataclass(frozen=True)
class OntoOptions:
    """The board, and how much is compared there."""

    port: Annotated[
        str | None, typer.Option("--port", help="Deploy the result on the board at this port and measure it.")
    ] = None
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Deploy the result on the virtual board: times are modelled.")
    ] = False
    deploy_samples: Annotated[
        int | None,
        typer.Option("--deploy-samples", min=1, help="Test pictures compared there. Default: 100."),
    ] = None

    @property
    def kind(self) -> str:
        """``virtual`` or ``port``; empty for none."""
        return "virtual" if self.virtual else "port" if self.port is not None else ""

    def onto(self) -> Onto | None:
        """The board that is meant; None where none is.

        Raises:
            RequestError: two are named, or samples without a board.
        """
        if not self.kind:
            if self.deploy_samples is not None:
                raise RequestError("--deploy-samples are compared on a board: add --port or --virtual")
            return None
        from tinynas.pipeline.deploy_stage import Onto
        from tinynas.pipeline.target import find_target

        target = find_target(self.port, self.virtual)
        return Onto(target) if self.deploy_samples is None else Onto(target, self.deploy_samples)
