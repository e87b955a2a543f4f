"""What a .tflite takes on the board, as the file it is: the last word on whether it fits."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.board import Budget
from tinynas.cost import find_runtime
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.request import SearchRequest
from tinynas.units import format_size


@dataclass(frozen=True, slots=True)
class FileFootprint:
    """Bytes of SRAM for the network read back, and of flash for the file itself with the runtime's code."""

    sram_bytes: int
    flash_bytes: int

    def excess(self, budget: Budget) -> str | None:
        """What of `budget` it exceeds, in words; None where it fits."""
        for name, need, has in (
            ("SRAM", self.sram_bytes, budget.sram_bytes),
            ("flash", self.flash_bytes, budget.flash_bytes),
        ):
            if need > has:
                return f"{format_size(need)} of {name}, {need - has:,} B more than allowed"
        return None


def footprint_of_file(request: SearchRequest, tflite: bytes) -> FileFootprint:
    """The footprint of `tflite` on the request's board under its runtime."""
    runtime, graph = find_runtime(request.runtime), graph_from_bytes(tflite, "the exported network")
    planned = runtime.flash(graph, request.board)
    # a runtime that carries the .tflite holds the file itself; one that does not, its own tables
    flash = len(tflite) + planned.code if planned.graph else planned.total
    return FileFootprint(runtime.sram(graph, request.board).total, flash)
