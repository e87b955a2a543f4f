"""What a run folder tells whoever looks at it, finished or not, without holding it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Budget
from tinynas.errors import RequestError
from tinynas.search.candidate import Candidate, Genes, latest
from tinynas.search.disk import PARTIAL, disk_errors
from tinynas.search.front import pareto_front
from tinynas.search.journal import read_candidates
from tinynas.search.objective import ACCURACY, find_objective, ranked
from tinynas.search.rating import Rating
from tinynas.search.run_folder import (
    CANDIDATES,
    CHOSEN,
    COMPARISON,
    DEPLOYMENTS,
    REQUEST,
    RESULT,
    SPACE,
    STUDIED,
    TIMES,
    TIMINGS,
    TRAINED,
    WINNER,
    is_run,
    read_object,
)
from tinynas.search.timings import Correction, Timing, read_timings
from tinynas.spaces.families import MOBILE

#: more memory than any board has
_ENDLESS = 1 << 40
#: what a stage leaves behind, last first, and what is under way after it
_STAGES = (
    (RESULT, "done"),
    (WINNER, "fine-tuning, export and verification"),
    (CHOSEN, "fine-tuning the winner"),
    (CANDIDATES, "searching"),
    (TRAINED, "searching"),
    (SPACE, "training"),
    (REQUEST, "choosing the space"),
)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as far as it got: `space` and `result` are None until their stages are done."""

    path: Path
    request: dict[str, Any]
    space: dict[str, Any] | None
    #: networks at every rung that they climbed, with times as measurements corrected them
    scores: tuple[Candidate[Genes], ...]
    #: what a board measured in the middle of the search
    timings: tuple[Timing, ...]
    result: dict[str, Any] | None

    #: seconds by stage
    times: dict[str, float]
    #: what boards said of the model, by name of board and way
    deployments: dict[str, dict[str, Any]]

    @property
    def family(self) -> str:
        """The family of the networks; runs from before there were several name none."""
        return str(self.request.get("family", MOBILE.name))

    @property
    def is_done(self) -> bool:
        """Whether the run has its result."""
        return self.result is not None

    @property
    def state(self) -> str:
        """``done``, or the stage that is under way or where it stopped."""
        return next(stage for name, stage in _STAGES if (self.path / name).exists())

    @property
    def candidates(self) -> tuple[Candidate[Genes], ...]:
        """Each network once, as it was scored last."""
        return tuple(latest(self.scores))

    @property
    def best(self) -> Candidate[Genes] | None:
        """The winner of the candidates so far, None before the first."""
        return next(iter(ranked(self.candidates)), None)

    @property
    def front(self) -> list[Candidate[Genes]]:
        """Those that fit and no other beats (see `pareto_front`), most accurate first."""
        return pareto_front(score for score in self.scores if score.fits)


def read_run(path: Path | str) -> RunSummary:
    """The run in the folder `path`; nothing is written, and another process may be at work in it.

    Raises:
        RequestError: there is no run; a run of similar name beside it is suggested.
        RunError: a file of the run is damaged or cannot be read.
    """
    folder = Path(path)
    request = read_request(folder)
    if request.get("kind") == COMPARISON:
        raise RequestError(
            f"'{folder}' is a comparison, not a search: look at it with tinynas compare --run {folder}"
        )
    timings = tuple(read_timings(folder / TIMINGS))
    rating = _rating(request, Correction.of(timings))
    return RunSummary(
        path=folder,
        request=request,
        space=_optional(folder / SPACE),
        scores=tuple(map(rating.rate, read_candidates(folder / CANDIDATES))),
        timings=timings,
        result=_optional(folder / RESULT),
        times=_optional(folder / TIMES) or {},
        deployments={
            file.stem: read_object(file)
            for file in sorted((folder / DEPLOYMENTS).glob("*.json"))
            if not file.name.startswith(PARTIAL)
        },
    )


def read_request(folder: Path) -> dict[str, Any]:
    """What was asked of the run or the comparison in `folder`.

    Raises:
        RequestError: there is neither; a run of similar name beside it is suggested.
        RunError: it is damaged or cannot be read.
    """
    with disk_errors(folder):
        found = is_run(folder)
    if (folder / STUDIED).exists():
        raise RequestError(f"'{folder}' is a study, not a search: look at it with tinynas study {folder}")
    if not found:
        raise RequestError(f"'{folder}' is not the folder of a run: {_suggestion(folder)}")
    return read_object(folder / REQUEST)


def _rating(request: Mapping[str, Any], correction: Correction) -> Rating:
    """By what the run was asked for; a time that an objective weighs is no limit."""
    name, time = request.get("objective", ACCURACY), request.get("latency_ms")
    sram, flash = (request.get(key, _ENDLESS) for key in ("sram_bytes", "flash_bytes"))
    budget = Budget(sram, flash, time if name == ACCURACY else None)
    return Rating(budget, find_objective(name, time), correction)


def _optional(path: Path) -> dict[str, Any] | None:
    return read_object(path) if path.exists() else None


def _suggestion(folder: Path) -> str:
    try:
        runs = sorted(p.name for p in folder.parent.iterdir() if is_run(p))
    except OSError:
        runs = []
    near = difflib.get_close_matches(folder.name, runs, n=1, cutoff=0.4) or runs[:1]
    return f"did you mean '{folder.parent / near[0]}'?" if near else "start one with tinynas search"
