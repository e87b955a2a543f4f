"""Stage 1 in a run: the space, read back, taken over from another run, or optimised anew, and its plots."""

from __future__ import annotations

from pathlib import Path

from tinynas.cost import find_runtime, macs
from tinynas.data import Dataset
from tinynas.errors import RequestError
from tinynas.networks import build_graph
from tinynas.pipeline.estimate import Workload, estimate_seconds
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.report.space_plot import plot_distribution
from tinynas.search.run_folder import SPACE, read_json
from tinynas.spaces import MobileSpace, SpaceReport, make_space, optimise_space, resolution_grid
from tinynas.units import format_count


def space_report(request: SearchRequest, data: Dataset, path: Path) -> SpaceReport:
    """The report of the run at `path` if it has one, else that of the run taken over, else a new one.

    Raises:
        RequestError: no network fits the budget, or the run taken over is of other pictures.
    """
    if (path / SPACE).is_file():
        return SpaceReport.from_dict(read_json(path / SPACE))
    if request.supernet is None:
        return optimise_space(
            request.board,
            request.budget,
            find_runtime(request.runtime),
            native=data.native_resolution,
            in_channels=data.channels,
            classes=len(data.classes),
            samples=request.effort.samples,
            seed=request.seed,
            min_share=request.min_share,
        )
    report = SpaceReport.from_dict(read_json(request.supernet / SPACE))
    if (report.native, report.in_channels, report.classes) != (
        data.native_resolution,
        data.channels,
        len(data.classes),
    ):
        raise RequestError(
            f"the supernet of '{request.supernet}' was trained on {report.native}x{report.native}x"
            f"{report.in_channels} pictures of {report.classes} classes: give a run on the same --data"
        )
    return report


def choose_space(session: Session, report: SpaceReport) -> MobileSpace:
    """The space of `report` with its elastic resolutions; the record and the plots are in the run after."""
    request, run = session.request, session.run
    if not run.has(SPACE):
        run.write_json(SPACE, report.to_dict())
        session.timed("space", report.seconds)
    for name in ("space.png", "space.svg"):
        if not run.has(name):
            with run.writing(name) as partial:
                plot_distribution(report, partial)
    chosen, native = report.chosen, session.data.native_resolution
    lower = [r for r in resolution_grid(native) if r < chosen.resolution][-request.elastic :]
    space = make_space(
        chosen.width,
        chosen.resolution,
        native,
        session.data.channels,
        len(session.data.classes),
        elastic=lower if request.elastic else (),
    )
    session.observer.note(describe_choice(report))
    _announce_time(session, space, report)
    return space


def describe_choice(report: SpaceReport) -> str:
    """The chosen space in a sentence."""
    stats = report.chosen_stats
    mean = f"{format_count(stats.mean_macs)} MACs on average" if stats.mean_macs else "no sample satisfies"
    text = f"space {stats.name}: {stats.share:.0%} of its networks satisfy the budget, {mean}"
    return f"{text} ({report.note})" if report.note else text


def _announce_time(session: Session, space: MobileSpace, report: SpaceReport) -> None:
    train, held_out = session.parts()
    stats = report.chosen_stats
    mean = stats.mean_macs or float(stats.smallest_macs)
    largest = macs(build_graph(space.genotype(space.largest())))
    work = Workload(largest, mean, 1.3 * mean, len(train), len(held_out))
    seconds = sum(estimate_seconds(session.effort, work).values())
    minutes = f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
    session.observer.note(f"expected time: about {minutes} with TensorFlow on two cores (an estimate)")
