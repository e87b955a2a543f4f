"""What one search found, evaluation by evaluation, and what several say of a strategy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.search.candidate import is_accuracy
from tinynas.search.disk import append_line
from tinynas.search.lines import cut_torn_line, read_lines, typed_field
from tinynas.search.objective import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """One search: `accuracies` of its networks in the order of scoring, at most `evaluations` of them.

    `best` is the genotype of the best. `latencies_ms` are their modelled times; none where those are unknown.
    An `objective` decides what is better, None being accuracy; another one needs the times.
    """

    strategy: str
    seed: int
    evaluations: int
    accuracies: tuple[float, ...]
    best: str
    latencies_ms: tuple[float, ...] = ()

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from the other searches of a comparison."""
        return self.strategy, self.seed, self.evaluations

    def merits(self, objective: Objective | None = None) -> Floats:
        """What each network is worth [networks]: its accuracy or its reward."""
        if objective is None:
            return np.array(self.accuracies, np.float64)
        pairs = zip(self.accuracies, self.latencies_ms, strict=True)
        return np.array([objective.reward(accuracy, time) for accuracy, time in pairs], np.float64)

    def winner(self, objective: Objective | None = None) -> int:
        """The place of the best network; of several as good that of the quickest, where times are known."""
        merits = self.merits(objective)
        best = np.flatnonzero(merits == merits.max())
        return int(min(best, key=lambda place: self.latencies_ms[place]) if self.latencies_ms else best[0])

    def best_so_far(self, objective: Objective | None = None) -> Floats:
        """The best after each evaluation [evaluations]; where a search ended early, its last."""
        best = np.maximum.accumulate(self.merits(objective))
        return np.concatenate([best, np.full(self.evaluations - len(best), best[-1])])

    def reaches(self, level: float, objective: Objective | None = None) -> int | None:
        """After how many evaluations the best is at least `level`; None if never."""
        there = np.flatnonzero(self.best_so_far(objective) >= level)
        return int(there[0]) + 1 if len(there) else None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the searches of one strategy with different seeds came to, `evaluations` each.

    `finals` are what their best networks are worth, in order of seed; `low`, `median` and `high` the
    quartiles of the best so far after each evaluation [evaluations]; `reached` is after how many evaluations
    each was at `level`, None for never; `networks` are how many were scored in the mean. `accuracies` are
    those of the best networks, `latencies_ms` their modelled times, none where unknown.
    """

    strategy: str
    seeds: tuple[int, ...]
    finals: tuple[float, ...]
    low: Floats
    median: Floats
    high: Floats
    level: float
    reached: tuple[int | None, ...]
    networks: float
    accuracies: tuple[float, ...]
    latencies_ms: tuple[float, ...]

    def in_time(self, target_ms: float) -> int:
        """How many of the best networks take no longer than that."""
        return sum(time <= target_ms for time in self.latencies_ms)

    @property
    def mean(self) -> float:
        """Of the last best."""
        return float(np.mean(self.finals))

    @property
    def deviation(self) -> float:
        """Their standard deviation, of a sample; 0 of one."""
        return float(np.std(self.finals, ddof=1)) if len(self.finals) > 1 else 0.0

    @property
    def typical_reach(self) -> float | None:
        """The median of `reached`, where never is later than any; None where that is never."""
        known = [np.inf if count is None else count for count in self.reached]
        # of an even number the later of the middle two, so that never is no number
        middle = float(sorted(known)[len(known) // 2])
        return None if np.isinf(middle) else middle

    def to_dict(self) -> dict[str, Any]:
        """Plain data, accuracies as they are; `final_best` are rewards where those were maximised."""
        return {
            "strategy": self.strategy,
            "seeds": list(self.seeds),
            "networks_scored_mean": self.networks,
            "final_best": list(self.finals),
            "final_best_mean": round(self.mean, 6),
            "final_best_std": round(self.deviation, 6),
            "best_accuracy": list(self.accuracies),
            "best_latency_ms": list(self.latencies_ms) or None,
            "level": self.level,
            "evaluations_to_level": list(self.reached),
            "evaluations_to_level_median": self.typical_reach,
            "best_so_far_quartiles": {
                name: [round(float(value), 6) for value in curve]
                for name, curve in (("low", self.low), ("median", self.median), ("high", self.high))
            },
        }


def standings(
    curves: Sequence[Curve], level: float | None = None, objective: Objective | None = None
) -> list[Standing]:
    """A standing of each strategy by `objective`, in order of appearance.

    `level` is what `reached` counts up to: without one the mean last best of random search, or of the weakest
    strategy where that is absent.
    """
    by_strategy: dict[str, list[Curve]] = {}
    for curve in curves:
        by_strategy.setdefault(curve.strategy, []).append(curve)
    means = {
        name: float(np.mean([curve.merits(objective).max() for curve in found]))
        for name, found in by_strategy.items()
    }
    asked = level if level is not None else means.get("random", min(means.values(), default=0.0))
    return [
        _standing(name, sorted(found, key=lambda c: c.seed), asked, objective)
        for name, found in by_strategy.items()
    ]


def _standing(name: str, curves: Sequence[Curve], level: float, objective: Objective | None) -> Standing:
    best = np.stack([curve.best_so_far(objective) for curve in curves])
    low, median, high = np.quantile(best, (0.25, 0.5, 0.75), axis=0)
    winners = [curve.winner(objective) for curve in curves]
    timed = all(curve.latencies_ms for curve in curves)
    return Standing(
        strategy=name,
        seeds=tuple(curve.seed for curve in curves),
        finals=tuple(float(final) for final in best[:, -1]),
        low=low,
        median=median,
        high=high,
        level=level,
        reached=tuple(curve.reaches(level, objective) for curve in curves),
        networks=float(np.mean([len(curve.accuracies) for curve in curves])),
        accuracies=tuple(curve.accuracies[at] for curve, at in zip(curves, winners, strict=True)),
        latencies_ms=tuple(
            curve.latencies_ms[at] for curve, at in zip(curves, winners, strict=True) if timed
        ),
    )


def read_curves(path: Path) -> list[Curve]:
    """The curves in the file `path`, in order of their searches; none if there is no such file.

    Raises:
        RunError: a line is damaged (the message names it), or the file cannot be read.
    """
    return read_lines(path, _parsed)


def append_curve(path: Path, curve: Curve) -> None:
    """Adds `curve` to the file; when this returns, it survives a kill.

    Raises:
        RunError: the disk does not take it.
    """
    cut_torn_line(path)
    append_line(path, json.dumps(asdict(curve), allow_nan=False))


def _parsed(line: str) -> Curve:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    accuracies, evaluations = typed_field(data, "accuracies", list), typed_field(data, "evaluations", int)
    if not 0 < len(accuracies) <= evaluations:
        raise ValueError("its 'accuracies' are none, or more than its 'evaluations'")
    if not all(isinstance(value, int | float) and is_accuracy(value) for value in accuracies):
        raise ValueError("its 'accuracies' are not all within 0 and 1")
    # comparisons from before times were kept have none
    times = typed_field({"latencies_ms": []} | data, "latencies_ms", list)
    if times and len(times) != len(accuracies):
        raise ValueError("its 'latencies_ms' are not as many as its 'accuracies'")
    if not all(isinstance(time, int | float) and time > 0 for time in times):
        raise ValueError("its 'latencies_ms' are not all times")
    return Curve(
        strategy=typed_field(data, "strategy", str),
        seed=typed_field(data, "seed", int),
        evaluations=evaluations,
        accuracies=tuple(map(float, accuracies)),
        best=typed_field(data, "best", str),
        latencies_ms=tuple(map(float, times)),
    )
