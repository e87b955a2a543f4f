"""Stage 1 in a run: the space, read back, taken over from another run, or optimised anew, and its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynas.cost import macs
from tinynas.data import Dataset, fingerprint
from tinynas.errors import RequestError
from tinynas.networks import build_graph
from tinynas.pipeline.estimate import Workload
from tinynas.pipeline.observer import Observer, Silent
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.session import Session
from tinynas.report.space_plot import plot_distribution
from tinynas.search import read_request
from tinynas.search.run_folder import SPACE, TIMES, read_json
from tinynas.spaces import DesignSpace, Pictures, SpaceReport, find_family, optimise_space
from tinynas.spaces.families import MOBILE
from tinynas.units import format_count


def space_report(
    request: SearchRequest, data: Dataset, path: Path, observer: Observer | None = None
) -> SpaceReport:
    """The report of the run at `path` if it has one, else that of the run taken over, else a new one.

    Raises:
        RequestError: no network fits the budget, or the run taken over is of other pictures.
    """
    if (path / SPACE).is_file():
        return SpaceReport.from_dict(read_json(path / SPACE))
    if request.supernet is None:
        pictures = Pictures(data.native_resolution, data.channels, len(data.classes))
        watch, family = observer or Silent(), find_family(request.family)
        # network by network it may take minutes
        watch.begin("design spaces", len(family.spaces(pictures)))
        report = optimise_space(
            request.board,
            request.budget,
            request.rules,
            native=data.native_resolution,
            in_channels=data.channels,
            classes=len(data.classes),
            samples=request.effort.samples,
            seed=request.seed,
            min_share=request.min_share,
            family=family,
            on_progress=lambda done, total: watch.advance(done, family.name),
        )
        watch.end()
        return report
    _require_same_training(request, data, request.supernet)
    return SpaceReport.from_dict(read_json(request.supernet / SPACE))


def _require_same_training(request: SearchRequest, data: Dataset, other: Path) -> None:
    """Refuses a supernet that saw pictures this run scores on, or lacks resolutions this run scores."""
    theirs = read_request(other)
    here = request.to_dict() | {"data_fingerprint": fingerprint(data)}
    numbers, own = theirs.get("numbers", {}), here["numbers"]
    differing = [
        *(() if theirs.get("family", MOBILE.name) == request.family else ("family",)),
        *(n for n in ("data_fingerprint", "seed", "elastic_resolutions") if theirs.get(n) != here[n]),
        *(n for n in ("held_out", "held_out_most") if numbers.get(n) != own[n]),
    ]
    if differing:
        raise RequestError(
            f"the supernet of '{other}' cannot be taken over, since {', '.join(differing)} differ: "
            "it may have been trained on the pictures that this run scores with"
        )


def choose_space(session: Session, report: SpaceReport) -> DesignSpace[Any]:
    """The space of `report` with its elastic resolutions; the record and the plots are in the run after."""
    request, run = session.request, session.run
    if not run.has(SPACE):
        run.write_json(SPACE, report.to_dict())
        if request.supernet is None:
            run.write_json(TIMES, {"space": round(report.seconds, 1)})
    for name in ("space.png", "space.svg"):
        if not run.has(name):
            with run.writing(name) as partial:
                plot_distribution(report, partial)
    space = searched_space(request, report)
    if request.supernet is None:
        session.observer.note(describe_choice(report))
    else:  # the shares of its report are those of the other run's budget
        session.observer.note(f"space {space.name} and its supernet are taken over from {request.supernet}")
    return space


def searched_space(request: SearchRequest, report: SpaceReport) -> DesignSpace[Any]:
    """The space of `report` with its elastic resolutions."""
    space: DesignSpace[Any] = find_family(report.family).with_elastic(
        report.chosen, report.pictures, request.elastic
    )
    return space


def describe_choice(report: SpaceReport) -> str:
    """The chosen space in a sentence."""
    stats = report.chosen_stats
    mean = f"{format_count(stats.mean_macs)} MACs on average" if stats.mean_macs else "no sample satisfies"
    text = f"space {stats.name}: {stats.share:.0%} of its networks satisfy the budget, {mean}"
    return f"{text} ({report.note})" if report.note else text


def announce_time(session: Session, space: DesignSpace[Any], report: SpaceReport) -> None:
    """Say how long the search will take."""
    train, held_out = session.parts()
    stats = report.chosen_stats
    mean = stats.mean_macs or float(stats.smallest_macs)
    largest = macs(build_graph(space.genotype(space.largest())))
    work = Workload(largest, mean, 1.3 * mean, len(train), len(held_out))
    seconds = sum(method_of(session.request).expected_seconds(session, work).values())
    minutes = f"{max(1, seconds / 60):.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
    slower = "" if session.request.backend == "tensorflow" else "; much longer with this backend on a CPU"
    session.observer.note(f"expected time: about {minutes} with TensorFlow on two cores (estimated){slower}")
