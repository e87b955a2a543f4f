"""What a .tflite needs on the board, as the file it is: the last word on whether it fits."""

from __future__ import annotations

from tinynas.cost import find_runtime
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.request import SearchRequest
from tinynas.search import Need


def need_of_file(request: SearchRequest, tflite: bytes) -> Need:
    """SRAM of `tflite` read back, and flash of the file with the runtime's code, on the request's board."""
    runtime, graph = find_runtime(request.runtime), graph_from_bytes(tflite, "the exported network")
    planned = runtime.flash(graph, request.board)
    # a runtime that carries the .tflite holds the file itself; one that does not, its own tables
    flash = len(tflite) + planned.code if planned.graph else planned.total
    return Need(runtime.sram(graph, request.board).total, flash)
