"""The stages of a search in order: space, supernet, evolution, fine-tuning, export, verification.

Each stage leaves its artefact in the run folder and is skipped when it is there, so a run killed at any
moment goes on from where it was. TensorFlow is first touched by the training stages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tinynas.cost import find_runtime, macs
from tinynas.data import Dataset, Split, class_balanced, fingerprint, hold_out, load_dataset, resize
from tinynas.errors import RunError
from tinynas.networks import Genotype, build_graph
from tinynas.pipeline.effort import Effort
from tinynas.pipeline.estimate import Workload, estimate_seconds
from tinynas.pipeline.request import SearchRequest
from tinynas.report.space_plot import plot_distribution
from tinynas.search import Candidate, Evolution, Limits, RandomSearch, RunFolder, Strategy, open_run, search
from tinynas.search.run_folder import RESULT, SPACE
from tinynas.spaces import Choice, MobileSpace, SpaceReport, make_space, optimise_space, resolution_grid
from tinynas.units import format_count

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet
    from tinynas.supernet.training import Phase

#: pictures that set the int8 ranges
REPRESENTATIVE_PICTURES = 500
_LARGEST, _SUPERNET, _WINNER = "largest.npz", "supernet.npz", "winner.npz"
_TRAINED, _CHOSEN, _MODEL = "supernet.json", "winner.json", "model.tflite"


class Observer(Protocol):
    """Who watches a search: shows bars, or nothing."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def advance(self, done: int, text: str) -> None:
        """The stage is at step `done`."""

    def end(self) -> None:
        """The stage is over."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Ignored."""

    def begin(self, stage: str, total: int) -> None:
        """Ignored."""

    def advance(self, done: int, text: str) -> None:
        """Ignored."""

    def end(self) -> None:
        """Ignored."""


@dataclass(frozen=True)
class _Session:
    """What every stage needs."""

    request: SearchRequest
    run: RunFolder
    data: Dataset
    observer: Observer

    @property
    def effort(self) -> Effort:
        return self.request.effort

    def limits(self) -> Limits:
        runtime = find_runtime(self.request.runtime)
        return Limits(runtime=runtime, board=self.request.board, budget=self.request.budget)

    def parts(self) -> tuple[Split, Split]:
        """Training pictures, and those held out of them for scoring sub-networks."""
        share = min(self.effort.held_out, self.effort.held_out_most / len(self.data.train))
        return hold_out(self.data.train, share, self.request.seed)

    def timed(self, stage: str, seconds: float) -> None:
        """Add to the record of where time went; a resumed stage adds to what it had."""
        record = self.run.read_json("times.json") if self.run.has("times.json") else {}
        record[stage] = round(record.get(stage, 0.0) + seconds, 1)
        self.run.write_json("times.json", record)


def run_search(request: SearchRequest, path: Path, observer: Observer | None = None) -> dict[str, Any]:
    """Search as `request` says in the run folder `path`, from wherever it stands; the result as plain data.

    Raises:
        TinynasError: the request cannot be met, the data or the folder are unfit, or the result failed its check.
    """
    watch = observer or Silent()
    data = load_dataset(request.data, request.data_dir, seed=request.seed)
    with open_run(path, request.to_dict() | {"data_fingerprint": fingerprint(data)}) as run:
        if run.has(RESULT):
            watch.note(f"{path} is done already: another --seed or --run starts a new search")
            finished: dict[str, Any] = run.read_json(RESULT)
            return finished
        session = _Session(request, run, data, watch)
        space = choose_space(session)
        model = train_supernet(session, space)
        winner = evolve(session, space, model)
        return export_winner(session, space, model, winner)


def choose_space(session: _Session) -> MobileSpace:
    """Stage 1: the space, taken over, read back, or optimised anew with its plots."""
    request, run = session.request, session.run
    if not run.has(SPACE):
        if request.supernet is not None:
            run.write_bytes(SPACE, _taken_over(request.supernet, SPACE))
        else:
            began = time.monotonic()
            report = optimise(request, session.data)
            run.write_json(SPACE, report.to_dict())
            session.timed("space", time.monotonic() - began)
    report = SpaceReport.from_dict(run.read_json(SPACE))
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


def optimise(
    request: SearchRequest, data: Dataset, on_progress: Callable[[int, int], None] | None = None
) -> SpaceReport:
    """Stage 1 alone: the distribution of every space under the request's budget."""
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
        on_progress=on_progress,
    )


def train_supernet(session: _Session, space: MobileSpace) -> Supernet:
    """Stage 2a: the largest network first, its channels sorted, then random sub-networks with shared weights."""
    from tinynas.supernet.backends import build_supernet
    from tinynas.supernet.sorting import sort_channels
    from tinynas.supernet.training import FixedSampler, Phase, RandomSampler, load_weights

    run, effort, seed = session.run, session.effort, session.request.seed
    model = build_supernet(space, seed)
    if session.request.supernet is not None and not run.has(_SUPERNET):
        run.write_bytes(_SUPERNET, _taken_over(session.request.supernet, _SUPERNET))
        run.write_json(_TRAINED, {"taken_from": str(session.request.supernet)})
    if run.has(_TRAINED):
        load_weights(model, run.path / _SUPERNET)
        return model
    limits, (train, _) = session.limits(), session.parts()
    phases = (
        (
            _LARGEST,
            Phase(
                "largest network",
                0,
                effort.steps(effort.largest_epochs, len(train)),
                effort.largest_rate,
                FixedSampler(space.largest()),
            ),
        ),
        (
            _SUPERNET,
            Phase(
                "supernet",
                1,
                effort.steps(effort.supernet_epochs, len(train)),
                effort.supernet_rate,
                RandomSampler(
                    space,
                    effort.subnets_per_batch,
                    lambda choice: limits.satisfied_by(space.genotype(choice)),
                ),
            ),
        ),
    )
    for name, phase in phases:
        _train(session, model, phase, train, name)
        if name == _LARGEST:
            sort_channels(model)
    run.write_json(_TRAINED, {"steps": {phase.name: phase.steps for _, phase in phases}})
    return model


def evolve(session: _Session, space: MobileSpace, model: Supernet) -> Candidate[Choice]:
    """Stage 2b: the most accurate satisfying network the strategy finds, scored with shared weights."""
    from tinynas.supernet.scoring import Calibration, Scorer

    effort, seed, watch = session.effort, session.request.seed, session.observer
    train, held_out = session.parts()
    calibration = Calibration(effort.calibration_batches, effort.calibration_batch_size)
    scorer = Scorer(model, train, held_out, calibration=calibration, seed=seed)
    strategy = make_strategy(session.request)
    began = time.monotonic()
    watch.begin(f"{session.request.strategy} search", strategy.evaluations)
    outcome = search(
        space,
        strategy,
        session.limits(),
        lambda choice, _genotype: scorer.accuracy(choice),
        seed=seed,
        journal=session.run.journal,
        seeds=[space.smallest()],
        on_candidate=lambda p: watch.advance(p.done, f"best {p.best.accuracy:.1%}"),
    )
    watch.end()
    session.timed("search", time.monotonic() - began)
    best = outcome.best
    session.run.write_json(
        _CHOSEN,
        {
            "genotype": best.genotype,
            "accuracy_shared_weights": best.accuracy,
            "generation": best.generation,
            "origin": best.origin.value,
            "candidates": len(outcome.candidates),
        },
    )
    return best


def make_strategy(request: SearchRequest) -> Strategy:
    """The strategy asked for; random search gets evolution's number of evaluations."""
    effort = request.effort
    if request.strategy == "random":
        return RandomSearch(evaluations=effort.evaluations)
    return Evolution(
        population=effort.population,
        iterations=effort.iterations,
        parents=effort.parents,
        crossover=effort.crossover,
        mutation=effort.mutation,
        mutation_probability=effort.mutation_probability,
    )


def export_winner(
    session: _Session, space: MobileSpace, model: Supernet, winner: Candidate[Choice]
) -> dict[str, Any]:
    """Fine-tune the winner from its inherited weights, quantise, verify, and only then call it the result."""
    from tinynas.export import convert_int8, float_logits
    from tinynas.export.inherit import inherited_weights
    from tinynas.export.verify import verify
    from tinynas.supernet.scoring import Calibration, Scorer
    from tinynas.supernet.training import FixedSampler, Phase

    effort, data, choice = session.effort, session.data, winner.choice
    steps = effort.steps(effort.finetune_epochs, len(data.train))
    phase = Phase("fine-tuning", 2, steps, effort.finetune_rate, FixedSampler(choice))
    _train(session, model, phase, data.train, _WINNER)
    began = time.monotonic()
    session.observer.begin("export and verification", 3)
    calibration = Calibration(max(40, effort.calibration_batches), effort.calibration_batch_size)
    scorer = Scorer(
        model, data.train, data.test, calibration=calibration, seed=session.request.seed, fixed=choice
    )
    weights = inherited_weights(model, choice, scorer.statistics(choice))
    representative = class_balanced(data.train, REPRESENTATIVE_PICTURES, session.request.seed)
    tflite = convert_int8(weights, resize(representative, choice.resolution))
    session.observer.advance(1, "int8 model made")
    images = resize(data.test.images, choice.resolution)
    logits = float_logits(weights, images)
    session.observer.advance(2, "float test accuracy")
    check = verify(tflite, weights.genotype, images=images, labels=data.test.labels, float_logits=logits)
    session.observer.end()
    session.run.write_bytes(_MODEL, tflite)
    session.timed("export and verification", time.monotonic() - began)
    result = {
        **_summary(session, space, winner, weights.genotype),
        **check.to_dict(),
        "model": str(session.run.path / _MODEL),
        "seconds": session.run.read_json("times.json"),
    }
    session.run.write_json(RESULT, result)
    return result


def _summary(
    session: _Session, space: MobileSpace, winner: Candidate[Choice], genotype: Genotype
) -> dict[str, Any]:
    request, footprint = session.request, winner.footprint
    return {
        "board": request.board.id,
        "runtime": request.runtime,
        "data": session.data.name,
        "space": space.name,
        "genotype": str(genotype),
        "macs": footprint.macs,
        "params": footprint.params,
        "sram_bytes": footprint.sram_bytes,
        "sram_budget_bytes": request.budget.sram_bytes,
        "flash_bytes": footprint.flash_bytes,
        "flash_budget_bytes": request.budget.flash_bytes,
        "accuracy_shared_weights": winner.accuracy,
    }


def _train(session: _Session, model: Supernet, phase: Phase, pictures: Split, name: str) -> None:
    """One phase of training with its bar, from its checkpoint."""
    from tinynas.data import BatchStream
    from tinynas.search.disk import written_whole
    from tinynas.supernet.training import finished, load_weights, train

    checkpoint, watch = session.run.path / name, session.observer
    if finished(checkpoint, phase):
        load_weights(model, checkpoint)
        return

    def save(path: Path, content: bytes) -> None:
        with written_whole(path) as partial:
            partial.write_bytes(content)

    stream = BatchStream(
        pictures,
        batch_size=session.effort.batch_size,
        augmentation=session.data.augmentation,
        seed=session.request.seed,
    )
    began = time.monotonic()
    watch.begin(phase.name, phase.steps)
    train(
        model,
        phase,
        stream,
        seed=session.request.seed,
        checkpoint=checkpoint,
        save=save,
        on_step=lambda p: watch.advance(p.step, f"loss {p.loss:.2f}"),
    )
    watch.end()
    session.timed(phase.name, time.monotonic() - began)


def _announce_time(session: _Session, space: MobileSpace, report: SpaceReport) -> None:
    train, held_out = session.parts()
    stats = report.chosen_stats
    mean = stats.mean_macs or float(stats.smallest_macs)
    largest = macs(build_graph(space.genotype(space.largest())))
    work = Workload(largest, mean, 1.3 * mean, len(train), len(held_out))
    seconds = sum(estimate_seconds(session.effort, work).values())
    minutes = f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
    session.observer.note(f"expected time: about {minutes} on two cores (estimated; killed, it resumes)")


def _taken_over(other: Path, name: str) -> bytes:
    """An artefact of another run."""
    path = other / name
    if not path.is_file() or not (other / _TRAINED).is_file():
        raise RunError(
            f"'{other}' has no trained supernet to take over: let that run finish its training first"
        )
    return path.read_bytes()
