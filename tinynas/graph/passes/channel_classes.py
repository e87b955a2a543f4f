"""Which channels stand or fall together.

Channel 3 of a depthwise convolution's output is made of channel 3 of its input, and channel 3 of a sum of
both sides' channel 3: one cannot go without the others. Such channels form a class. Convolutions and dense
layers end it, for they read all channels and make new ones.
"""

from __future__ import annotations

import numpy as np

from tinynas.graph.ir import DType, Graph, Operator, OpKind
from tinynas.graph.passes.constants import keeps_channels
from tinynas.graph.passes.products import Booleans, Integers

_PLAIN = (
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
    OpKind.RELU,
    OpKind.RELU6,
    OpKind.LOGISTIC,
    OpKind.HARD_SWISH,
    OpKind.QUANTIZE,
)
_SOMETIMES = (OpKind.RESHAPE, OpKind.MEAN, OpKind.PAD)
_BINARY = (OpKind.ADD, OpKind.MUL)


class ChannelClasses:
    """Union-find over the channels of all feature maps; a class that is pinned must stay."""

    def __init__(self, graph: Graph) -> None:
        """The classes of `graph`. Network inputs and outputs are pinned, and so is what is not understood."""
        self._graph = graph
        maps = dict.fromkeys((*graph.inputs, *(op.outputs[0] for op in graph.operators)))
        self._first: dict[int, int] = {}
        count = 0
        for tensor in maps:
            self._first[tensor] = count
            count += graph.tensors[tensor].shape[-1] if graph.tensors[tensor].shape else 1
        self._parent = list(range(count))
        self._pinned = np.zeros(count, bool)
        for tensor in (*graph.inputs, *graph.outputs):
            self._pin(tensor)
        for operator in graph.operators:
            self._join(operator)

    def stay(self, tensor: int, channels: Booleans) -> None:
        """Pin the classes of those `channels` of `tensor` that are true."""
        self._pinned[self._channels(tensor)[channels]] = True

    def kept(self) -> dict[int, Booleans]:
        """Which channels of each feature map stay: all that are pinned, and one of a map at least."""
        roots = np.array([self._root(channel) for channel in range(len(self._parent))], np.int64)
        pinned = np.zeros(len(roots), bool)
        np.logical_or.at(pinned, roots, self._pinned)
        for tensor in self._first:
            classes = roots[self._channels(tensor)]
            if not pinned[classes].any():
                pinned[classes[0]] = True
        return {tensor: pinned[roots[self._channels(tensor)]] for tensor in self._first}

    def _join(self, operator: Operator) -> None:
        target, sources = operator.outputs[0], [i for i in operator.inputs if i in self._first]
        types = {self._graph.tensors[i].dtype for i in (*sources, target)}
        if types != {DType.INT8}:
            self._pin(target, *sources)
        elif operator.kind is OpKind.DEPTHWISE_CONV_2D:
            outputs = np.arange(self._graph.tensors[target].shape[-1])
            self._unite(target, outputs, sources[0], outputs // operator.depth_multiplier)
        elif operator.kind in _BINARY:
            self._join_binary(operator, sources)
        elif operator.kind is OpKind.CONCATENATION:
            self._join_concatenation(operator, sources)
        elif self._elementwise(operator):
            self._unite_all(target, sources[0])
        elif operator.kind is OpKind.FULLY_CONNECTED:
            self._join_dense(operator)
        elif operator.kind is not OpKind.CONV_2D or self._grouped(operator):
            self._pin(target, *sources)

    def _join_binary(self, operator: Operator, sources: list[int]) -> None:
        target = operator.outputs[0]
        channels = self._graph.tensors[target].shape[-1:]
        for source in sources:
            if self._graph.tensors[source].shape[-1:] == channels:
                self._unite_all(target, source)
            else:
                self._pin(target, source)

    def _join_concatenation(self, operator: Operator, sources: list[int]) -> None:
        target = operator.outputs[0]
        if len(sources) != len(operator.inputs):
            self._pin(target, *sources)
            return
        start = 0
        for source in operator.inputs:
            if keeps_channels(self._graph, operator):
                self._unite_all(target, source)
                continue
            own = np.arange(self._graph.tensors[source].shape[-1])
            self._unite(target, start + own, source, own)
            start += len(own)

    def _join_dense(self, operator: Operator) -> None:
        known = self._graph.tensors[operator.inputs[1]].quantization
        # left with one channel, its scales would be folded as TFLite folds a scale for all
        if known is None or known.per_channel:
            self._pin(operator.outputs[0])

    def _elementwise(self, operator: Operator) -> bool:
        if operator.kind in _SOMETIMES:
            return keeps_channels(self._graph, operator)
        return operator.kind in _PLAIN

    def _grouped(self, operator: Operator) -> bool:
        source, weights = (self._graph.tensors[i].shape for i in operator.inputs[:2])
        return source[3] != weights[3]

    def _channels(self, tensor: int) -> Integers:
        shape = self._graph.tensors[tensor].shape
        return self._first[tensor] + np.arange(shape[-1] if shape else 1, dtype=np.int64)

    def _pin(self, *tensors: int) -> None:
        for tensor in tensors:
            self._pinned[self._channels(tensor)] = True

    def _unite_all(self, left: int, right: int) -> None:
        own = np.arange(len(self._channels(left)))
        self._unite(left, own, right, own)

    def _unite(self, left: int, ours: Integers, right: int, theirs: Integers) -> None:
        for one, other in zip(self._first[left] + ours, self._first[right] + theirs, strict=True):
            self._parent[self._root(int(one))] = self._root(int(other))

    def _root(self, channel: int) -> int:
        while self._parent[channel] != channel:
            # path halving keeps the chains of deep networks short
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel
