"""What a board measured in the middle of a search beside what was modelled, and the correction of that.

A model of times is wrong about most networks of a board alike, so one factor mends most of it: the median of
measured over modelled, which no single odd measurement moves. Of what was measured the time is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from tinynas.search.disk import append_line
from tinynas.search.lines import cut_torn_line, read_lines, typed_field


@dataclass(frozen=True, slots=True)
class Timing:
    """A network measured at the end of `generation`.

    `modelled_ms` is what the model says by itself, `corrected_ms` what it said with all corrections until
    then, `measured_ms` what the board took.
    """

    generation: int
    genotype: str
    modelled_ms: float
    corrected_ms: float
    measured_ms: float

    @property
    def error(self) -> float:
        """By what share of the measured time the corrected prediction was off."""
        return self.corrected_ms / self.measured_ms - 1


@dataclass(frozen=True, slots=True)
class Correction:
    """What becomes of modelled times: `measured` ones by genotype, and a `factor` on all others."""

    factor: float = 1.0
    measured: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, timings: Iterable[Timing]) -> Correction:
        """By what was measured; nothing is corrected where nothing was."""
        made = list(timings)
        ratios = [timing.measured_ms / timing.modelled_ms for timing in made]
        measured = {timing.genotype: timing.measured_ms for timing in made}
        return cls(median(ratios) if ratios else 1.0, measured)

    def milliseconds(self, genotype: str, modelled: float) -> float:
        """Of the network `genotype`, which takes `modelled` milliseconds by the model alone."""
        return self.measured.get(genotype, self.factor * modelled)


def read_timings(path: Path) -> list[Timing]:
    """The timings in the file `path`, in order; none if there is no such file.

    Raises:
        RunError: a line is damaged, or the file cannot be read.
    """
    return read_lines(path, _parse)


class TimingJournal:
    """The file of timings, for the one process that holds the run: reads, mends the end, appends.

    Raises:
        RunError: the file is damaged elsewhere than at its end, or the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.timings = read_timings(path)
        cut_torn_line(path)

    def find(self, generation: int, genotype: str) -> Timing | None:
        """The timing of that network at the end of that generation, if it was made."""
        made = (t for t in self.timings if (t.generation, t.genotype) == (generation, genotype))
        return next(made, None)

    def append(self, timing: Timing) -> None:
        """Adds `timing`; when this returns, it survives a kill.

        Raises:
            RunError: the disk does not take it.
        """
        append_line(self._path, json.dumps(asdict(timing), allow_nan=False))
        self.timings.append(timing)


def _parse(line: str) -> Timing:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    modelled, corrected, measured = (
        float(typed_field(data, name, (int, float)))
        for name in ("modelled_ms", "corrected_ms", "measured_ms")
    )
    if min(modelled, corrected, measured) <= 0:
        raise ValueError("it has a time that is not positive")
    return Timing(
        generation=typed_field(data, "generation", int),
        genotype=typed_field(data, "genotype", str),
        modelled_ms=modelled,
        corrected_ms=corrected,
        measured_ms=measured,
    )
