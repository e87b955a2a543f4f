"""Modelled times of a study's networks on its board: what the latency model of today says of them.

They are no part of the table: a model calibrated later says more of the same networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinynas.board import load_board
from tinynas.cost.latency import latency_model
from tinynas.cost.runtime import find_runtime
from tinynas.errors import RequestError
from tinynas.networks import build_graph, parse_genotype
from tinynas.study.folder import Study


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of an inference by `Sampled.key`; `label` says how far to trust them."""

    label: str
    milliseconds: Mapping[tuple[str, int], float]


def model_times(study: Study) -> Times | None:
    """The times of every trained network; None where nothing models them on that board."""
    try:
        board = load_board(str(study.request.get("board")))
        model = latency_model(board, find_runtime(str(study.request.get("runtime"))))
    except RequestError:
        # a board file of the user's own, which may lie elsewhere by now
        return None
    if model is None:
        return None
    times = {
        record.network.key: model.milliseconds(build_graph(parse_genotype(record.network.genotype)))
        for record in study.records
    }
    return Times(f"{board.name}, {model.label}", times)
