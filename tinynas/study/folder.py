"""The folder of a study: its request, the networks sampled, and the table of those trained so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinynas.errors import RequestError, RunError
from tinynas.search.disk import append_line
from tinynas.search.lines import cut_torn_line, read_lines
from tinynas.search.run_folder import REQUEST, STUDIED, RunFolder, read_json
from tinynas.study.record import Record, Sampled, parse_record, record_line

#: the networks trained, a line each
TABLE = "table.jsonl"


@dataclass(frozen=True, slots=True)
class Study:
    """A study as far as it got: `records` by space and index, whatever order they were made in."""

    path: Path
    request: Mapping[str, Any]
    networks: tuple[Sampled, ...]
    records: tuple[Record, ...]

    @property
    def spaces(self) -> list[str]:
        """The spaces compared, in the order asked for."""
        return list(dict.fromkeys(network.space for network in self.networks))

    @property
    def is_done(self) -> bool:
        """Whether every network is trained."""
        return len(self.records) == len(self.networks)

    def of(self, space: str) -> list[Record]:
        """The trained networks of one space."""
        return [record for record in self.records if record.network.space == space]


def is_study(path: Path) -> bool:
    """Whether `path` is the folder of a study."""
    return (path / STUDIED).is_file()


def read_study(path: Path) -> Study:
    """The study in the folder `path`; nothing is written, and another process may be at work in it.

    Raises:
        RequestError: there is no study.
        RunError: a file of it is damaged or cannot be read.
    """
    if not is_study(path):
        raise RequestError(f"'{path}' is not the folder of a study: start one with tinynas study --space")
    networks = _networks(path)
    place = {network.key: number for number, network in enumerate(networks)}
    records = {record.network.key: record for record in read_lines(path / TABLE, parse_record)}
    if not records.keys() <= place.keys():
        raise RunError(f"'{path / TABLE}' has networks of another study: start anew in another folder")
    ordered = sorted(records.values(), key=lambda record: place[record.network.key])
    return Study(path, read_json(path / REQUEST), tuple(networks), tuple(ordered))


def keep_networks(run: RunFolder, networks: Iterable[Sampled]) -> None:
    """Write down what was sampled; the folder is a study after it."""
    run.write_json(STUDIED, [asdict(network) for network in networks])


class Table:
    """The table, for the one process that holds the folder."""

    def __init__(self, path: Path) -> None:
        """Mend its end, if a kill tore it."""
        self._path = path / TABLE
        cut_torn_line(self._path)

    def append(self, record: Record) -> None:
        """Add `record`; when this returns, it survives a kill.

        Raises:
            RunError: the disk does not take it.
        """
        append_line(self._path, record_line(record))


def _networks(path: Path) -> list[Sampled]:
    try:
        return [Sampled.from_dict(each) for each in read_json(path / STUDIED)]
    except (TypeError, ValueError) as error:
        raise RunError(
            f"'{path / STUDIED}' is damaged ({error}): start anew in another folder with --run"
        ) from error
