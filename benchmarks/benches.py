"""Which bench times a board here: the virtual board where there is one, else counted instructions."""

from __future__ import annotations

from cores.counted import BOARDS, CountedBench

from tinynas.board import board_ids, load_board
from tinynas.device.virtual.chip import load_chip
from tinynas.errors import TinynasError
from tinynas.pipeline.bench import Bench, FirmwareBench
from tinynas.pipeline.target import VirtualTarget


def bench_of(board: str) -> Bench:
    """The bench that times `board`; whether it can, `Bench.require` says."""
    return CountedBench() if board in BOARDS else FirmwareBench(VirtualTarget())


def timed_boards() -> list[str]:
    """All boards that a bench here times."""
    return [board for board in board_ids() if board in BOARDS or _has_twin(board)]


def _has_twin(board: str) -> bool:
    try:
        load_chip(load_board(board))
    except TinynasError:
        return False
    return True
