"""Graph passes: each a pure function that makes a network smaller or plainer and changes no output byte."""

from __future__ import annotations

from collections.abc import Callable

from tinynas.graph.ir import Graph
from tinynas.graph.passes.activations import fuse_activations
from tinynas.graph.passes.borders import drop_borders
from tinynas.graph.passes.dead_channels import drop_dead_channels
from tinynas.graph.passes.layout import drop_reshapes, remove_identities, tidy_reshapes
from tinynas.graph.passes.means import lift_means, normalise_means
from tinynas.graph.passes.padding import fold_padding
from tinynas.graph.passes.single_channel import widen_single_channels
from tinynas.graph.passes.unused import remove_unused

__all__ = [
    "drop_borders",
    "drop_dead_channels",
    "drop_reshapes",
    "fold_padding",
    "fuse_activations",
    "lift_means",
    "normalise_means",
    "remove_identities",
    "remove_unused",
    "simplify",
    "tidy_reshapes",
    "widen_single_channels",
]

Pass = Callable[[Graph], Graph]

#: cheap ones first; the search for dead channels comes last, on a graph that hides none from it
_PASSES: tuple[Pass, ...] = (
    remove_unused,
    normalise_means,
    fuse_activations,
    fold_padding,
    widen_single_channels,
    tidy_reshapes,
    lift_means,
    drop_reshapes,
    remove_identities,
    remove_unused,
    drop_dead_channels,
    remove_unused,
)


def simplify(graph: Graph, *, keep_float_io: bool = False) -> Graph:
    """`graph` as the engine wants it: all passes, again and again until none finds anything to do.

    Every output byte stays. Unless `keep_float_io`, the network begins and ends with its int8 feature maps:
    the caller then quantises, in NHWC, and dequantises (see `drop_borders`).
    """
    passes = _PASSES if keep_float_io else (drop_borders, *_PASSES)
    while True:
        before = graph
        for step in passes:
            graph = step(graph)
        if graph is before:
            return graph
