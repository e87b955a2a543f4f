"""Feature maps as planes: for each row and channel one row of int16, less the zero point, with its padding.

A depthwise kernel that reads planes finds two neighbours in a word and never meets an edge; the convolution
before it writes them. What a plane must hold besides its columns follows from the window that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.engine.rows import MapShape, map_shape
from tinynas.graph import Graph, Operator, Padding, Window

#: bytes of a value in a plane
_VALUE = 2
#: outputs of which a kernel makes all even where a row has fewer left, by the columns of its window
_TOGETHER = {3: 1, 5: 4, 7: 4}


@dataclass(frozen=True, slots=True)
class Planes:
    """`columns` values behind `before` zeros, in `pitch` (even) values a plane."""

    before: int
    columns: int
    pitch: int


def planes_for(graph: Graph, reader: Operator) -> Planes:
    """The planes that the depthwise convolution `reader` reads."""
    source, made = (map_shape(graph.tensors[i]) for i in (reader.inputs[0], reader.outputs[0]))
    window = reader.window or Window((1, 1), (1, 1), Padding.VALID)
    before = window.margins(source.rows, source.columns)[2]
    columns, stride = window.kernel[1], window.stride[1]
    together = _TOGETHER[columns]
    outputs = -(-made.columns // together) * together
    # a kernel reads whole words for whole groups of outputs
    reached = stride * (outputs - 1) + columns
    pitch = max(before + source.columns, reached)
    return Planes(before, source.columns, pitch + pitch % 2)


def planes_shape(graph: Graph, reader: Operator) -> MapShape:
    """Planes as a feature map: of columns that are the channels, and channels that are the values of one."""
    source = map_shape(graph.tensors[reader.inputs[0]])
    return MapShape(source.rows, source.channels, planes_for(graph, reader).pitch, _VALUE)
