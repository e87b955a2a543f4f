"""The journal of a run: every candidate scored, one JSON line each; a kill costs one line at most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynas.search.candidate import Candidate, Genes, candidate_line, parse_candidate
from tinynas.search.disk import append_line
from tinynas.search.lines import cut_torn_line, read_lines


def read_candidates(path: Path) -> list[Candidate[Genes]]:
    """The candidates in the journal `path`, in order of scoring; none if there is no such file.

    A network scored at several rungs of a ladder is there as often (see `latest`).

    A last line without its end is one a kill cut short and is left out. The file is only read.

    Raises:
        RunError: another line is damaged (the message names it), or the file cannot be read.
    """
    return read_lines(path, parse_candidate)


class CandidateJournal:
    """The journal file, for the one process that holds the run: reads what is there, mends its end, appends.

    Raises:
        RunError: the file is damaged elsewhere than at its end, or the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scores = {candidate.key: candidate.accuracy for candidate in read_candidates(path)}
        cut_torn_line(path)

    def scores(self) -> dict[tuple[str, int], float]:
        """Accuracy by genotype text and steps trained of every candidate in the file."""
        return dict(self._scores)

    def append(self, candidate: Candidate[Any]) -> None:
        """Adds `candidate`; when this returns, it survives a kill.

        Raises:
            RunError: the disk does not take it.
        """
        append_line(self._path, candidate_line(candidate))
        self._scores[candidate.key] = candidate.accuracy
