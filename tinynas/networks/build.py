"""From a genotype to its Graph, and the parameter count the papers print."""

from __future__ import annotations

from tinynas.graph import Activation, Graph, GraphBuilder
from tinynas.networks.blocks import Block, Genotype


def build_graph(genotype: Genotype) -> Graph:
    """The int8 Graph, without weights, of the .tflite that `genotype` will be exported to.

    Batch normalisation is folded: every convolution has a bias. The output is [1, classes] logits.
    """
    size = genotype.resolution
    builder = GraphBuilder(str(genotype), (size, size, genotype.in_channels))
    x = builder.input
    for block in genotype.blocks:
        x = _add_block(builder, x, block)
    return builder.build(builder.dense(builder.global_mean(x), genotype.classes))


def trainable_params(genotype: Genotype) -> int:
    """Parameters as published: weights, batch-norm scales and shifts, classifier; no moving statistics.

    A folded convolution has one bias a channel where the trained one has a scale and a shift.
    Squeeze-and-excitation layers have plain biases.
    """
    graph = build_graph(genotype)
    folded = sum(tensor.elements for tensor in graph.constants() if tensor.name.split(":")[1] != "axes")
    return folded + sum(_normalised_channels(genotype))


def se_channels(block: Block, in_channels: int) -> int:
    """Width of the squeezed vector: the ratio counts from the block's input width, not the expanded one."""
    return max(1, round(in_channels * block.se))


def _normalised_channels(genotype: Genotype) -> list[int]:
    channels, counts = genotype.in_channels, []
    for block in genotype.blocks:
        if not block.is_conv:
            expanded = channels * block.expand
            counts += [expanded] * (2 if block.expand > 1 else 1)
        counts.append(block.channels)
        channels = block.channels
    return counts


def _add_block(builder: GraphBuilder, x: int, block: Block) -> int:
    if block.is_conv:
        return builder.conv(x, block.channels, block.kernel, block.stride, Activation.RELU6)
    channels = builder.shape(x)[3]
    y = builder.conv(x, channels * block.expand, activation=Activation.RELU6) if block.expand > 1 else x
    y = builder.depthwise(y, block.kernel, block.stride, Activation.RELU6)
    if block.se:
        gate = builder.conv(
            builder.global_mean(y, keep_dims=True), se_channels(block, channels), activation=Activation.RELU
        )
        y = builder.multiply(y, builder.logistic(builder.conv(gate, channels * block.expand)))
    y = builder.conv(y, block.channels)
    return builder.add(x, y) if block.has_residual(channels) else y
