"""What a .tflite needs on the board, as the file it is: the last word on whether it fits."""

from __future__ import annotations

from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import Genotype
from tinynas.pipeline.session import Session
from tinynas.search import Need


def need_of_file(session: Session, genotype: Genotype, tflite: bytes) -> Need:
    """SRAM, flash and time of `tflite`, the network `genotype`, read back, on the board asked for.

    A runtime that carries the file takes its bytes and code; any other what it makes of the file. The engine
    plans the file itself: its arena is the static array that the compiled network will have.
    """
    request = session.request
    runtime, graph = request.rules, graph_from_bytes(tflite, "the exported network")
    planned = runtime.flash(graph, request.board)
    flash = len(tflite) + planned.code if runtime.carries_file else planned.total
    time = session.milliseconds(str(genotype), graph)
    return Need(runtime.sram(graph, request.board).total, flash, time)
