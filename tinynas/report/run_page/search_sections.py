"""What a run's trainings and its search tell: curves, generations, the front."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np

from tinynas.report.run_page.sections import (
    Axis,
    Curve,
    Evolution,
    Front,
    Generation,
    Maybe,
    Missing,
    Training,
    Trial,
)
from tinynas.search import Candidate, Genes, RunSummary
from tinynas.spaces import find_family
from tinynas.supernet.phase import Progress

#: costs that a footprint may have, in the order of the page
_AXES = (
    Axis("macs", "MACs", "M"),
    Axis("sram_bytes", "SRAM", "KiB"),
    Axis("flash_bytes", "flash", "KiB"),
    Axis("latency_ms", "latency", "ms"),
)


def not_yet(what: str, run: RunSummary) -> Missing:
    """`what` comes later than where the run stands."""
    return Missing(f"{what}: the run stands at “{run.state}”.")


def training_section(run: RunSummary, history: Sequence[Progress]) -> Maybe[Training]:
    """The curves in `history`, phase by phase."""
    if not history:
        if run.request.get("supernet") is not None:
            return Missing(
                f"The supernet was taken over from {run.request['supernet']}, which has its curves."
            )
        if run.is_done:
            return Missing("This run was made before curves were kept (history.jsonl).")
        return not_yet("Nothing has been trained yet", run)
    phases = itertools.groupby(history, key=lambda point: point.phase)
    return Training(tuple(_curve(phase, tuple(points)) for phase, points in phases))


def _curve(phase: str, points: tuple[Progress, ...]) -> Curve:
    return Curve(phase, points[-1].steps, points)


def trials_section(scores: Iterable[Candidate[Genes]]) -> tuple[Trial, ...]:
    """The networks trained on their own, of all `scores` that the journal has."""
    points: dict[str, dict[int, float]] = {}
    for score in scores:
        if score.trained_steps:
            points.setdefault(score.genotype, {})[score.trained_steps] = score.accuracy
    return tuple(
        Trial(genotype, tuple(sorted(known)), tuple(known[steps] for steps in sorted(known)))
        for genotype, known in points.items()
    )


def evolution_section(run: RunSummary) -> Maybe[Evolution]:
    """The search by generations."""
    if not run.candidates:
        return not_yet("No network has been scored yet", run)
    return Evolution(
        strategy=str(run.request.get("strategy", "evolution")),
        scoring=str(find_family(run.family).scoring),
        generations=tuple(_generations(run.candidates)),
        origins=dict(Counter(candidate.origin.value for candidate in run.candidates)),
        trained=dict(sorted(Counter(filter(None, (each.trained_steps for each in run.candidates))).items())),
    )


def _generations(candidates: Iterable[Candidate[Genes]]) -> Iterable[Generation]:
    best_yet = 0.0
    ordered = sorted(candidates, key=lambda candidate: candidate.generation)
    for number, group in itertools.groupby(ordered, key=lambda candidate: candidate.generation):
        scores = np.array([candidate.accuracy for candidate in group])
        best_yet = max(best_yet, float(scores.max()))
        yield Generation(
            number=number,
            networks=len(scores),
            best=float(scores.max()),
            mean=float(scores.mean()),
            deviation=float(scores.std()),
            worst=float(scores.min()),
            best_yet=best_yet,
        )


def front_section(run: RunSummary) -> Maybe[Front]:
    """Accuracy against every cost that is known of all networks."""
    if not run.candidates:
        return not_yet("There is nothing to choose from yet", run)
    footprints = [candidate.footprint for candidate in run.candidates]
    known = {field.name for field in fields(footprints[0])}
    axes = [
        axis
        for axis in _AXES
        if axis.key in known and all(getattr(each, axis.key) is not None for each in footprints)
    ]
    winner = run.result["genotype"] if run.result is not None else None
    return Front(tuple(axes), run.candidates, tuple(run.front), winner)
