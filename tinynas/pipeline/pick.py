"""Another point of a finished search's front: chosen without searching, then fine-tuned and exported.

Accuracy and costs of every network scored are in the run already. The one picked gets what the run's winner
got: fine-tuning from the weights it has, int8, every check; in a folder of its own in the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinynas.board import Budget
from tinynas.data import fingerprint, load_dataset
from tinynas.errors import RequestError, RunError
from tinynas.pipeline.export_stage import export_winner
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.search_stage import best_as_file
from tinynas.pipeline.session import Session
from tinynas.pipeline.space_stage import searched_space
from tinynas.search import (
    Candidate,
    Genes,
    Need,
    RunFolder,
    RunSummary,
    open_run,
    pareto_front,
    read_run,
    restore_choice,
)
from tinynas.search.objective import ACCURACY
from tinynas.search.run_folder import CHOSEN, MODEL, PICKS, RESULT, SPACE, read_json
from tinynas.spaces import SpaceReport, find_family


@dataclass(frozen=True, slots=True)
class Pick:
    """The front of a run, most accurate first, and a budget to choose from it by."""

    run: RunSummary
    budget: Budget
    front: tuple[Candidate[Genes], ...]

    @property
    def members(self) -> list[Candidate[Genes]]:
        """Those of the front within the budget, in its order."""
        return [member for member in self.front if _need(member).strain(self.budget) <= 1]


def choose(run: Path, budget: Budget) -> Pick:
    """The front of the finished search in `run`, and who of it stays within `budget`.

    Raises:
        RequestError: the search is not over, nobody stays within, or times were asked for and are not known.
        RunError: a file of the run is damaged.
    """
    summary = read_run(run)
    if not (run / CHOSEN).exists():
        raise RequestError(f"the search in '{run}' is not over ({summary.state}): let it finish first")
    front = pareto_front(summary.candidates)
    if budget.latency_ms is not None and any(c.footprint.latency_ms is None for c in summary.candidates):
        raise RequestError(
            f"the run in '{run}' does not know how long its networks take: search again where times are "
            "modelled (`tinynas profile`), or leave out the time"
        )
    pick = Pick(summary, budget, tuple(front))
    if not pick.members:
        raise _nobody(run, front, budget)
    return pick


def export_pick(pick: Pick, watch: Observer, data_dir: Path | None = None) -> dict[str, Any]:
    """The most accurate of `pick` whose file fits too, fine-tuned and verified, as the result of a run is.

    It lies in a folder of the run named after the network (``folder`` in what is returned), or is the run's
    own result where that is the one. What is there already is not made again; interrupted, it goes on.

    Raises:
        TinynasError: the pictures are not there any more, the disk fails, or the network fails its check.
    """
    path, recorded = pick.run.path, pick.run.request
    if (there := _exported(pick)) is not None:
        return there
    request = SearchRequest.from_dict(recorded, data_dir)
    data = load_dataset(request.data, data_dir, seed=request.seed)
    if fingerprint(data) != recorded.get("data_fingerprint"):
        raise RunError(
            f"the pictures of '{request.data}' are not those that '{path}' was trained on: restore them"
        )
    with open_run(path, recorded) as run:
        asked = replace(request, budget=pick.budget, objective=ACCURACY)
        session = Session(asked, run, data, watch).corrected()
        member = _restored(best_as_file(session, pick.members), request.family)
        folder = _folder(pick.run, member.genotype)
        if not _is_there(folder):
            _export(session, request, member, folder)
    return _result(folder, member)


def _exported(pick: Pick) -> dict[str, Any] | None:
    """The best of `pick` if it is exported already, and fits as the file it is."""
    best = pick.members[0]
    if not _is_there(folder := _folder(pick.run, best.genotype)):
        return None
    result = _result(folder, best)
    need = Need(result["sram_bytes"], result["flash_bytes"], result.get("latency_ms"))
    return result if need.excess(pick.budget) is None else None


def _result(folder: Path, member: Candidate[Any]) -> dict[str, Any]:
    """What was exported in `folder`, and what the search knew of it."""
    result: dict[str, Any] = read_json(folder / RESULT)
    searched = {"accuracy": member.accuracy, **asdict(member.footprint)}
    return result | {"folder": str(folder), "searched": searched}


def _export(session: Session, request: SearchRequest, member: Candidate[Any], folder: Path) -> None:
    """Fine-tune `member` of the search `request` from the weights it has in the run, and export it."""
    report = SpaceReport.from_dict(session.run.read_json(SPACE))
    space = searched_space(request, report)
    whole = replace(session, request=request)
    trainee = method_of(request).prepare(whole, space).trainee(member)
    export_winner(replace(session, run=RunFolder(folder)), space, trainee, member)


def _restored(member: Candidate[Genes], family: str) -> Candidate[Any]:
    return replace(member, choice=restore_choice(find_family(family).choice_type, member.choice))


def _folder(run: RunSummary, genotype: str) -> Path:
    """The run itself for its own winner."""
    if run.result is not None and run.result.get("genotype") == genotype:
        return run.path
    return run.path / PICKS / hashlib.blake2b(genotype.encode(), digest_size=3).hexdigest()


def _is_there(folder: Path) -> bool:
    return (folder / RESULT).exists() and (folder / MODEL).exists()


def _need(member: Candidate[Any]) -> Need:
    cost = member.footprint
    return Need(cost.sram_bytes, cost.flash_bytes, cost.latency_ms)


def _nobody(run: Path, front: Sequence[Candidate[Any]], budget: Budget) -> RequestError:
    nearest = min(map(_need, front), key=lambda need: need.strain(budget))
    if budget.latency_ms is None:
        nearest = replace(nearest, latency_ms=None)
    asked = Need(budget.sram_bytes, budget.flash_bytes, budget.latency_ms)
    return RequestError(
        f"none of the {len(front)} networks on the front of '{run}' stays within {asked}: the nearest needs "
        f"{nearest}; allow that, or search again"
    )
