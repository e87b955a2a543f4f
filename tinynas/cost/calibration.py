"""What the kernels cost on one board, fitted to what it took; kept as JSON, and known when out of date.

A calibration holds for the kernels whose sources it was made with. Comments, white space and the tables'
headers do not count: they change no loop.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinynas.engine.kernels import CATALOGUE
from tinynas.engine.sources import INTERFACES, sources_for
from tinynas.errors import RequestError

#: of the files
FORMAT = 1
#: as made by `tinynas profile --virtual`, one a board
SHIPPED = Path(__file__).with_name("calibrations")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Errors:
    """How far sums of operators are from what whole networks took that were left out of the fit, relative.

    `networks` of them; the others are shares: 0.01 is 1 %. `operator_median` is of their single operators.
    """

    networks: int
    median: float
    worst: float
    operator_median: float

    @property
    def words(self) -> str:
        """``sums of operators within 2 %``."""
        return f"sums of operators within {max(1, math.ceil(100 * self.worst))} %"


@dataclass(frozen=True)
class Calibration:
    """Cycles of the loops and missed cache lines of every kernel (`costs`) on the board `board`.

    `times` are the words that stand beside every time of that board, `measured` whether a real one said them.
    `arena_offset` is as `DataMemory` has it, `step_cycles` what each entry of a schedule takes by itself, and
    `digests` are of the kernels' sources.
    """

    board: str
    core: str
    clock_hz: int
    measured: bool
    times: str
    compiler: str
    made_by: str
    date: str
    goals: tuple[str, ...]
    networks: int
    operators: int
    arena_offset: int
    step_cycles: float
    instruction_cycles: float
    errors: Errors
    digests: Mapping[str, str]
    costs: Mapping[str, Mapping[str, float]]

    def to_text(self) -> str:
        """The JSON of `parse`."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n"

    @property
    def stale(self) -> tuple[str, ...]:
        """Kernels, by C function, that are new or not any more what they were, sorted."""
        now = kernel_digests()
        return tuple(sorted(kernel for kernel, digest in now.items() if self.digests.get(kernel) != digest))


def parse(text: str, name: str) -> Calibration:
    """The calibration that `to_text` wrote; `name` is the file's, for the message.

    Raises:
        RequestError: it is none, or one of another tinynas.
    """
    try:
        plain: dict[str, Any] = json.loads(text)
        if plain.pop("format") != FORMAT:
            raise ValueError("another format")
        plain["errors"] = Errors(**_numbers(plain["errors"]))
        plain["goals"] = tuple(plain["goals"])
        plain["costs"] = {kernel: _numbers(costs) for kernel, costs in plain["costs"].items()}
        plain["digests"] = dict(plain["digests"])
        plain |= _numbers({name: plain[name] for name in ("clock_hz", "step_cycles", "instruction_cycles")})
        if not plain["clock_hz"]:
            raise ValueError("a clock that stands still")
        return Calibration(**plain)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RequestError(
            f"{name} is not a calibration of this tinynas: make one with `tinynas profile`"
        ) from error


def _numbers(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The same, all of which are numbers that can be: finite, and none below 0.

    Raises:
        TypeError: one is none.
        ValueError: one cannot be.
    """
    if strange := [name for name, value in plain.items() if not 0 <= value < math.inf]:
        raise ValueError(f"{', '.join(strange)}: out of range")
    return dict(plain)


def read(file: Path) -> Calibration:
    """The calibration in `file`.

    Raises:
        RequestError: as `parse`, or the file cannot be read.
    """
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file} cannot be read: name the file that `tinynas profile` wrote") from error


@cache
def shipped() -> Mapping[str, Calibration]:
    """The calibrations that tinynas brings, by board."""
    return {file.stem: read(file) for file in sorted(SHIPPED.glob("*.json"))}


@cache
def kernel_digests() -> Mapping[str, str]:
    """For every kernel, by C function, eight hexadecimal digits that change with the code it consists of.

    Raises:
        TinynasError: as `sources_for`.
    """
    return {function: _digest(function) for function in sorted({each.function for each in CATALOGUE})}


def _digest(function: str) -> str:
    digest = hashlib.sha256()
    for name, text in sources_for([function]).items():
        if name not in INTERFACES:
            digest.update(" ".join(_COMMENT.sub(" ", text).split()).encode())
    return digest.hexdigest()[:8]
