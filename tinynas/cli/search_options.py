"""What is asked of a network, and of a search for one: options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import Board, Budget, make_budget
from tinynas.cli.backend import BACKENDS, choose_backend
from tinynas.cli.console import (
    DATA_HELP,
    DEFAULT_RUNTIME,
    DataDirOption,
    FamilyOption,
    FlashOption,
    FpsOption,
    LatencyOption,
    MinShareOption,
    OptimizeOption,
    RuntimeOption,
    SeedOption,
    SramOption,
)
from tinynas.cli.idle_options import refuse_idle
from tinynas.engine.goals import Goal
from tinynas.pipeline.effort import ANY_TRAINING, SUPERNET

if TYPE_CHECKING:
    from tinynas.cost.runtime import Runtime
    from tinynas.pipeline.request import SearchRequest

DataOption = Annotated[str, typer.Option("--data", help=DATA_HELP)]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", help=f"Who trains: {', '.join(BACKENDS)}. Default: KERAS_BACKEND or tensorflow."
    ),
]
#: of a command that can also show what is there
StartBoardOption = Annotated[
    str | None,
    typer.Option("--board", "-b", help="A board's id, or your own board file; needed to start."),
]


@dataclass(frozen=True)
class LimitOptions:
    """What a network must stay within, and whose memory is counted."""

    sram: SramOption = None
    flash: FlashOption = None
    latency: LatencyOption = None
    fps: FpsOption = None
    runtime: RuntimeOption = DEFAULT_RUNTIME
    optimize: OptimizeOption = Goal.RAM

    def on(self, board: Board) -> tuple[Budget, Runtime]:
        """The budget on `board`, and the runtime with its plans for the goal within that.

        Raises:
            RequestError: a size or a time that cannot be, or no such runtime.
        """
        from tinynas.cost.runtime import aim_within, find_runtime

        budget = make_budget(board, self.sram, self.flash, self.latency, self.fps)
        return budget, find_runtime(self.runtime, aim_within(self.optimize, budget, board))


@dataclass(frozen=True)
class SearchOptions(LimitOptions):
    """What every search is asked, whoever proposes its networks."""

    objective: Annotated[
        str,
        typer.Option(
            "--objective",
            help="accuracy; or mnasnet-soft, mnasnet-hard: weighed by time, with --latency as a target "
            "that some network must meet.",
        ),
    ] = "accuracy"
    family: FamilyOption = "mobile"
    data: DataOption = "digits"
    data_dir: DataDirOption = None
    effort: Annotated[
        str, typer.Option("--effort", help="How much work: quick (minutes), standard (hours), paper.")
    ] = "quick"
    seed: SeedOption = 0
    min_share: MinShareOption = 0.05
    elastic: Annotated[
        int, typer.Option("--elastic", min=0, help="Lower resolutions searched besides the chosen one.")
    ] = 1
    supernet: Annotated[
        Path | None,
        typer.Option(
            "--supernet", help="A run or comparison whose space and trained supernet are used again."
        ),
    ] = None
    backend: BackendOption = None

    def request(self, board: Board, numbers: Mapping[str, float | None], **own: Any) -> SearchRequest:
        """The search on `board` with these `numbers` of its effort; `own` are further fields of the request.

        Raises:
            RequestError: something that cannot be asked for.
        """
        from tinynas.pipeline.request import SearchRequest, presets_of
        from tinynas.spaces import find_family

        budget, rules = self.on(board)
        return SearchRequest(
            board=board,
            budget=budget,
            runtime=rules.name,
            goal=self.optimize,
            data=self.data,
            data_dir=Path(self.data_dir) if self.data_dir is not None else None,
            effort_name=self.effort,
            effort=presets_of(self.family).make(self.effort, numbers),
            seed=self.seed,
            min_share=self.min_share,
            elastic=self.elastic,
            supernet=self.supernet,
            backend=choose_backend(self.backend),
            family=find_family(self.family).name,
            objective=self.objective,
            **own,
        )

    def refuse_idle(self, context: typer.Context, strategies: Sequence[str], *, fine_tunes: bool) -> None:
        """Refuses numbers that such a search, by `strategies` that there are, has no use for.

        Raises:
            RequestError: one was given.
        """
        from tinynas.pipeline.strategies import idle_numbers

        names = " or ".join(strategies)
        refuse_idle(context, idle_numbers(strategies), f"there is no such setting of {names}")
        if self.supernet is not None:
            trained = SUPERNET if fine_tunes else SUPERNET | ANY_TRAINING
            taken = "the space and the trained weights are those of --supernet"
            refuse_idle(context, {"samples", "min_share", *trained}, taken)
