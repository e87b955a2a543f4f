"""Another point of a finished search's front: chosen without searching, then fine-tuned and exported.

Accuracy and costs of every network scored are in the run already. The one picked gets what the run's winner
got: fine-tuning from the weights it has, int8, every check; in a folder of its own in the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinynas.board import Budget
from tinynas.data import fingerprint, load_dataset
from tinynas.errors import RequestError, RunError
from tinynas.pipeline.deploy_stage import Onto, announce_obstacle, deploy_result
from tinynas.pipeline.export_stage import EXPORTING, export_winner
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.search_stage import best_as_file, fits_as_file
from tinynas.pipeline.session import Session
from tinynas.pipeline.space_stage import searched_space
from tinynas.pipeline.training_stage import FINE_TUNING
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
from tinynas.search.run_folder import CANDIDATES, CHOSEN, MODEL, PICKS, REQUEST, RESULT, SPACE, read_json
from tinynas.spaces import SpaceReport, find_family
from tinynas.units import format_seconds


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
    if not summary.candidates:
        raise RunError(f"the run in '{run}' has no network in {CANDIDATES} any more: search again")
    front = pareto_front(summary.scores)
    if budget.latency_ms is not None and any(c.footprint.latency_ms is None for c in summary.candidates):
        raise RequestError(
            f"the run in '{run}' does not know how long its networks take: search again where times are "
            "modelled (`tinynas profile`), or leave out the time"
        )
    pick = Pick(summary, budget, tuple(front))
    if not pick.members:
        raise _nobody(run, front, budget)
    return pick


def export_pick(
    pick: Pick, watch: Observer, data_dir: Path | None = None, onto: Onto | None = None
) -> dict[str, Any]:
    """The most accurate of `pick` whose file fits too, fine-tuned and verified, as the result of a run is.

    It lies in a folder of the run named after the network (``folder`` in what is returned), or is the run's
    own result where that is the one. What is there already is not made again; interrupted, it goes on. It is
    deployed `onto` a board where that is asked for.

    Raises:
        TinynasError: the pictures are not there any more, the disk fails, the network fails its check, or it
            cannot be deployed.
    """
    best = pick.members[0]
    if onto is None and _is_exported(pick, best):
        return _result(pick, best)
    with _opened(pick, watch, data_dir) as session:
        member = best if _is_exported(pick, best) else best_as_file(session, pick.members)
        return _made(pick, session, member, onto)


def export_front(
    pick: Pick, watch: Observer, data_dir: Path | None = None, onto: Onto | None = None
) -> list[dict[str, Any]]:
    """All of `pick` whose files fit, each made and deployed as by `export_pick`, in the front's order.

    Raises:
        TinynasError: as `export_pick`.
    """
    made = []
    with _opened(pick, watch, data_dir) as session:
        watch.note(_announcement(pick))
        for number, member in enumerate(pick.members, 1):
            watch.note(f"network {number} of {len(pick.members)}: {member.genotype}")
            if _is_exported(pick, member) or fits_as_file(session, member):
                made.append(_made(pick, session, member, onto))
            else:
                watch.note("it does not fit once it is a file, and is left out")
    return made


@contextmanager
def _opened(pick: Pick, watch: Observer, data_dir: Path | None) -> Iterator[Session]:
    """The run of `pick`, held, asked for what stays within its budget."""
    path, recorded = pick.run.path, pick.run.request
    request = SearchRequest.from_dict(recorded, data_dir)
    data = load_dataset(request.data, data_dir, seed=request.seed)
    if fingerprint(data) != recorded.get("data_fingerprint"):
        raise RunError(
            f"the pictures of '{request.data}' are not those that '{path}' was trained on: restore them"
        )
    with open_run(path, recorded) as run:
        asked = replace(request, budget=pick.budget, objective=ACCURACY)
        yield Session(asked, run, data, watch).corrected()


def _made(pick: Pick, session: Session, member: Candidate[Genes], onto: Onto | None) -> dict[str, Any]:
    """`member` exported, if it was not, and deployed `onto` a board."""
    folder = _folder(pick.run, member.genotype)
    if not _is_there(folder):
        if onto is not None:
            announce_obstacle(onto, session.request, session.observer)
        _export(session, member, folder)
    if onto is not None:
        own = RunFolder(folder)
        deploy_result(replace(session, run=own), onto, own.read_json(RESULT))
    return _result(pick, member)


def _is_exported(pick: Pick, member: Candidate[Any]) -> bool:
    """Whether `member` is exported, and fits as the file it is."""
    folder = _folder(pick.run, member.genotype)
    if not _is_there(folder):
        return False
    result = read_json(folder / RESULT)
    need = Need(result["sram_bytes"], result["flash_bytes"], result.get("latency_ms"))
    return need.excess(pick.budget) is None


def _announcement(pick: Pick) -> str:
    """How many there are to make, and how long that takes where the run knows it of its winner."""
    new = sum(not _is_there(_folder(pick.run, member.genotype)) for member in pick.members)
    each = sum(pick.run.times.get(stage, 0.0) for stage in (FINE_TUNING, EXPORTING))
    time = f", about {format_seconds(new * each)} by what the run's winner took" if new and each else ""
    return f"{new} of {len(pick.members)} networks to fine-tune and export{time}"


def _result(pick: Pick, member: Candidate[Any]) -> dict[str, Any]:
    """What was exported of `member`, and what the search knew of it."""
    folder = _folder(pick.run, member.genotype)
    result: dict[str, Any] = read_json(folder / RESULT)
    searched = {
        "accuracy": member.accuracy,
        **asdict(member.footprint),
        "trained_steps": member.trained_steps,
    }
    return result | {"folder": str(folder), "searched": searched}


def _export(session: Session, member: Candidate[Genes], folder: Path) -> None:
    """Fine-tune `member` from the weights it has in the run, and export it."""
    recorded = session.run.read_json(REQUEST)
    request = SearchRequest.from_dict(recorded, session.request.data_dir)
    space = searched_space(request, SpaceReport.from_dict(session.run.read_json(SPACE)))
    scored = replace(member, choice=restore_choice(find_family(request.family).choice_type, member.choice))
    trainee = method_of(request).prepare(replace(session, request=request), space).trainee(scored)
    export_winner(replace(session, run=RunFolder(folder)), space, trainee, scored)


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
