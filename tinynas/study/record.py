"""One network of a study: what was sampled, what training it found out, and its line in the table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinynas.search.lines import typed_field


@dataclass(frozen=True, slots=True)
class Sampled:
    """Network number `index` of `space`, from 0: its `genotype` and the space's parameters it came from."""

    space: str
    index: int
    genotype: str
    parameters: Mapping[str, Any]
    macs: int
    params: int
    activations: int
    sram_bytes: int
    flash_bytes: int

    @property
    def key(self) -> tuple[str, int]:
        """What identifies it within its study."""
        return self.space, self.index

    @staticmethod
    def from_dict(data: Any) -> Sampled:
        """Inverse of ``asdict``.

        Raises:
            ValueError: `data` is something else; the message says what is amiss.
        """
        if not isinstance(data, dict):
            raise ValueError("it is not an object")
        return Sampled(**{name: typed_field(data, name, kind) for name, kind in _KINDS.items()})


_KINDS: Mapping[str, type[Any]] = {
    "space": str,
    "index": int,
    "genotype": str,
    "parameters": dict,
    "macs": int,
    "params": int,
    "activations": int,
    "sram_bytes": int,
    "flash_bytes": int,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training found: the share of held-out pictures classified wrongly, and how long it took.

    A training whose loss was no number any more has `diverged`; its error is 1.
    """

    error: float
    seconds: float
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A trained network."""

    network: Sampled
    outcome: Outcome


def record_line(record: Record) -> str:
    """`record` as one line of JSON without the line's end; numbers survive the round trip exactly."""
    return json.dumps(asdict(record.network) | asdict(record.outcome), allow_nan=False)


def parse_record(line: str) -> Record:
    """The record that `line` holds.

    Raises:
        ValueError: the line is not what `record_line` writes; the message says what is amiss.
    """
    data = json.loads(line)
    network = Sampled.from_dict(data)
    error, seconds = (float(typed_field(data, name, (int, float))) for name in ("error", "seconds"))
    if not (0 <= error <= 1 and math.isfinite(seconds)):
        raise ValueError("its 'error' is not within 0 and 1")
    if not isinstance(data.get("diverged"), bool):
        raise ValueError("its 'diverged' is missing")
    return Record(network, Outcome(error, seconds, data["diverged"]))
