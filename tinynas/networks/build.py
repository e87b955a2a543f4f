"""From a genotype to its Graph, and the parameter count the papers print."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph import Graph, GraphBuilder, LayerBuilder, OutlineBuilder
from tinynas.graph.outline import Outline, has_single_channels, outline_of
from tinynas.graph.passes import simplify
from tinynas.networks.blocks import Block
from tinynas.networks.genotype import Genotype


def build_graph(genotype: Genotype) -> Graph:
    """The int8 Graph, without weights, of the .tflite that `genotype` will be exported to.

    Batch normalisation is folded: every convolution has a bias. The output is [1, classes] logits.
    """
    size = genotype.resolution
    builder = GraphBuilder(str(genotype), (size, size, genotype.in_channels))
    return builder.build(_add(builder, genotype.blocks, genotype.classes))


def build_part(blocks: Sequence[Block], shape: Sequence[int], classes: int | None = None) -> Graph:
    """`blocks` behind a feature map of `shape` (rows, columns, channels), as they are in a network.

    With `classes` the network's end follows them.
    """
    rows, columns, channels = shape
    builder = GraphBuilder(" ".join(map(str, blocks)), (rows, columns, channels))
    return builder.build(_add(builder, blocks, classes))


def outline_part(blocks: Sequence[Block], shape: Sequence[int], classes: int | None = None) -> Outline:
    """The outline of the graph that `build_part` makes."""
    builder = OutlineBuilder(tuple(shape))
    _add(builder, blocks, classes)
    return builder.build()


def simple_outline(blocks: Sequence[Block], shape: Sequence[int], classes: int | None = None) -> Outline:
    """That of the graph simplified: of what is built only maps of one channel are not as the engine wants."""
    outline = outline_part(blocks, shape, classes)
    if any(map(has_single_channels, outline.operators)):
        return outline_of(simplify(build_part(blocks, shape, classes)))
    return outline


def _add(builder: LayerBuilder, blocks: Sequence[Block], classes: int | None) -> int:
    """`blocks`, and with `classes` the network's end; the map that they make."""
    x = builder.input
    for block in blocks:
        x = block.add_to(builder, x)
    return x if classes is None else builder.dense(builder.global_mean(x), classes)


def trainable_params(genotype: Genotype) -> int:
    """Parameters as published: weights, batch-norm scales and shifts, classifier; no moving statistics.

    A folded convolution has one bias a channel where the trained one has a scale and a shift.
    Squeeze-and-excitation layers have plain biases.
    """
    graph = build_graph(genotype)
    folded = sum(tensor.elements for tensor in graph.constants() if tensor.name.split(":")[1] != "axes")
    widths = (genotype.in_channels, *(block.channels for block in genotype.blocks))
    return folded + sum(
        block.normalised_channels(width) for block, width in zip(genotype.blocks, widths, strict=False)
    )
