"""Times of many networks of a mobile space at once: sums over their blocks, each of which is looked up.

A block's time hardly depends on the blocks around it, so every block of a space is timed once, in a network
of its own kernel and expansion throughout. On an F746 the sums differ from what the model says of each
network by 0.03 % at most with plans for SRAM. Kernels that spend memory depend on what is around a block,
too: balanced plans that have all memory there is were up to 15 % off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.latency import LatencyModel
from tinynas.graph import Graph, OpKind
from tinynas.networks import build_graph
from tinynas.spaces.batch import BlockBatch
from tinynas.spaces.mobile import MobileSpace


def batch_milliseconds(batch: BlockBatch, model: LatencyModel) -> NDArray[np.float64]:
    """Modelled milliseconds of each network: [n]."""
    blocks, rest = _block_milliseconds(batch.space, model)
    return np.asarray(blocks.take(batch.index).sum(axis=1) + rest)


def _block_milliseconds(space: MobileSpace, model: LatencyModel) -> tuple[NDArray[np.float64], float]:
    """Of every block that `list_blocks(space)` has, and of what follows the last block of a network."""
    largest = space.largest()
    firsts, slots, rests = [], [], []
    for kernel in space.kernels:
        for expand in space.expands:
            alike = replace(
                largest,
                kernels=(kernel,) * len(largest.kernels),
                expands=(expand,) * len(largest.expands),
            )
            graph = build_graph(space.genotype(alike))
            first, *others, rest = _by_block(graph, model)
            firsts.append(first)
            slots.append(others)
            rests.append(rest)
    # slot by slot every kernel with every expansion; behind them the entry of no block
    table = np.array(slots).T.ravel()
    return np.concatenate([[np.mean(firsts)], table, [0.0]]), float(np.mean(rests))


def _by_block(graph: Graph, model: LatencyModel) -> Iterator[float]:
    """Milliseconds of the stem with the first block, of every other block, and of all behind the last."""
    times, kinds = model.layers(graph), [operator.kind for operator in graph.operators]
    if len(times) != len(kinds):
        raise ValueError(f"{len(times)} times of {len(kinds)} operators: the runtime runs other ones")
    start = 0
    for index, kind in enumerate(kinds):
        # a block ends with its addition, or with the projection that none follows
        projects = index > 0 and kinds[index - 1] is OpKind.DEPTHWISE_CONV_2D
        added = kind is OpKind.ADD or (projects and kinds[index + 1] is not OpKind.ADD)
        if added:
            yield sum(times[start : index + 1])
            start = index + 1
    yield sum(times[start:])
