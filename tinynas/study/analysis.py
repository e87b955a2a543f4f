"""What a study says: the tools of the RegNet papers applied to its table (see `tinynas.spaces.edf`)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinynas.errors import RequestError
from tinynas.spaces.edf import BestInterval, BestOf, Edf, best_of, bootstrap_best, edf
from tinynas.spaces.linear_fit import fit_linear
from tinynas.study.folder import Study
from tinynas.study.properties import PROPERTIES, block_widths, is_x
from tinynas.study.record import Record
from tinynas.study.times import Times


@dataclass(frozen=True)
class Findings:
    """What the trained networks of one space say.

    `properties` holds the interval of the best network for each property that its networks differ in; `fits`
    is e_fit of each network of X blocks, by index; `complexity` the correlation of activations with MACs,
    `latency` that of modelled times.
    """

    space: str
    best: Record
    edf: Edf
    best_of: BestOf
    properties: Mapping[str, BestInterval]
    fits: Mapping[int, float]
    fit_correlation: float | None
    complexity: float | None
    latency: float | None
    diverged: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json`` and for records."""
        return {
            "space": self.space,
            "n": len(self.edf.errors),
            "diverged": self.diverged,
            "error_min": self.best.outcome.error,
            "error_median": self.edf.median,
            "error_mean": self.edf.mean,
            "best": self.best.network.genotype,
            "edf_errors": [float(error) for error in self.edf.errors],
            "best_of_mean": [round(float(mean), 6) for mean in self.best_of.mean],
            "best_of_deviation": [round(float(each), 6) for each in self.best_of.deviation],
            "best_property_intervals": {name: asdict(each) for name, each in self.properties.items()},
            "linear_fit_errors": {str(index): round(fit, 6) for index, fit in self.fits.items()},
            "linear_fit_rank_correlation_with_error": self.fit_correlation,
            "log_correlation_activations_macs": self.complexity,
            "log_correlation_latency_macs": self.latency,
        }


def analyse(study: Study, times: Times | None = None) -> list[Findings]:
    """The findings about every space of `study` that has a trained network, in the order asked for.

    `times` are those of its networks (`tinynas.study.times`), if they are to be judged.

    Raises:
        RequestError: nothing is trained yet.
    """
    if not study.records:
        raise RequestError(f"no network of '{study.path}' is trained yet: let the study go on first")
    return [_findings(space, records, times) for space in study.spaces if (records := study.of(space))]


def _findings(space: str, records: list[Record], times: Times | None) -> Findings:
    errors = [record.outcome.error for record in records]
    fits = {r.network.index: fit_linear(block_widths(r.network)).error for r in records if is_x(r.network)}
    of_fitted = [r.outcome.error for r in records if r.network.index in fits]
    macs = np.log([r.network.macs for r in records])
    waits = [times.milliseconds[r.network.key] for r in records] if times is not None else []
    return Findings(
        space=space,
        best=min(records, key=lambda record: record.outcome.error),
        edf=edf(errors),
        best_of=best_of(errors),
        properties=_intervals(space, records),
        fits=fits,
        fit_correlation=_correlation(_ranks(list(fits.values())), _ranks(of_fitted)),
        complexity=_correlation(np.log([r.network.activations for r in records]), macs),
        latency=_correlation(np.log(waits), macs),
        diverged=sum(record.outcome.diverged for record in records),
    )


def _intervals(space: str, records: list[Record]) -> dict[str, BestInterval]:
    errors = [record.outcome.error for record in records]
    intervals = {}
    for name, each in PROPERTIES.items():
        values = [value for r in records if (value := each.of(r.network)) is not None]
        if len(values) == len(records) and len(set(values)) > 1:
            rng = np.random.default_rng(zlib.crc32(f"{space} {name}".encode()))
            intervals[name] = bootstrap_best(values, errors, rng)
    return intervals


def _ranks(values: list[float]) -> Any:
    """Ranks from 0, equal values sharing their mean rank."""
    array = np.asarray(values, float)
    below = (array[None, :] < array[:, None]).sum(axis=1)
    alike = (array[None, :] == array[:, None]).sum(axis=1)
    return below + (alike - 1) / 2


def _correlation(a: Any, b: Any) -> float | None:
    """Pearson's, None where it means nothing: fewer than three networks, or all alike."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])
