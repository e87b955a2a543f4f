"""One network, trained alone: any genotype, executed operator by operator as its planned Graph.

So whatever a genotype can say (plain, depthwise and grouped convolutions, squeeze-and-excitation) trains as
it will be exported, with a batch normalisation behind each convolution where the Graph has a folded bias.
Those that compute on pooled vectors, squeeze and excite, have plain biases as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.graph import Activation, Graph, Operator, OpKind
from tinynas.graph.execute import WEIGHTED, execute
from tinynas.networks import Genotype, build_graph
from tinynas.supernet.grouped import Tensor
from tinynas.supernet.layers import (
    ConvNorm,
    Cut,
    Portions,
    Slices,
    add_constant,
    glorot_uniform,
    he_normal,
    normalised_pixels,
)


class Biased(keras.layers.Layer):  # type: ignore[misc]
    """A kernel and a bias without batch normalisation: the classifier, or a 1x1 convolution of a gate."""

    def __init__(self, kernel: NDArray[np.float32]) -> None:
        """With `kernel` [in, out] or [1, 1, in, out]; bias zero."""
        super().__init__()
        self.kernel = add_constant(self, kernel)
        self.bias = self.add_weight(shape=(kernel.shape[-1],), initializer="zeros")

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        kernel = ops.convert_to_tensor(self.kernel)
        return ops.matmul(x, ops.reshape(kernel, kernel.shape[-2:])) + self.bias


class Network(keras.Model):  # type: ignore[misc]
    """The network `genotype`; uint8 pictures [n, r, r, c] in, logits [n, classes] out.

    To a learner it is a supernet of one sub-network, whose choice is the genotype itself.
    """

    def __init__(self, genotype: Genotype, *, seed: int = 0) -> None:
        """Fresh weights drawn from `seed`, the same on every backend."""
        super().__init__()
        self.genotype = genotype
        self._graph = build_graph(genotype)
        rng = np.random.default_rng((seed, 0x5EED))
        pooled = _pooled(self._graph)
        operators = [operator for operator in self._graph.operators if operator.kind in WEIGHTED]
        self.parts: list[ConvNorm | Biased] = [_part(self._graph, op, pooled, rng) for op in operators]
        self.built = True

    @property
    def in_channels(self) -> int:
        """Channels of the pictures."""
        return self.genotype.in_channels

    @property
    def statistics_size(self) -> int:
        """Length of the batch-norm statistics of all convolutions."""
        return sum(part.statistics_size for part in self.parts if isinstance(part, ConvNorm))

    def pack(self, choice: Genotype) -> NDArray[np.int32]:
        """No genes: there is nothing to choose."""
        return np.empty(0, np.int32)

    def genes(self, choice: Genotype | None, vector: Tensor) -> None:
        """No genes."""
        return

    def forward(
        self, images: Tensor, genes: None = None, statistics: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits [n, classes] and batch-norm statistics [`statistics_size`].

        Without `statistics` the batch's own are used and returned, as in training.
        """
        arithmetic = _Layers(self.parts, Portions(statistics), [])
        logits = execute(self._graph, normalised_pixels(images), arithmetic)
        used = arithmetic.used
        return logits, ops.concatenate(used) if used else ops.zeros((0,), "float32")


@dataclass(frozen=True)
class _Layers:
    """Keras's arithmetic with trained layers; statistics that batch normalisation used pile up in `used`."""

    parts: list[ConvNorm | Biased]
    given: Portions
    used: list[Tensor]

    def weighted(self, layer: int, operator: Operator, x: Tensor) -> Tensor:
        part = self.parts[layer]
        if isinstance(part, Biased):
            return part.forward(x)
        y, statistics = part.forward(x, Cut(), self.given(part.statistics_size))
        self.used.append(statistics)
        return y

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def sigmoid(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)

    def mean(self, x: Tensor, keep_dims: bool) -> Tensor:
        return ops.mean(x, axis=(1, 2), keepdims=keep_dims)

    def activate(self, x: Tensor, activation: Activation) -> Tensor:
        return ops.relu(x) if activation is Activation.RELU else ops.relu6(x)


def _part(graph: Graph, operator: Operator, pooled: set[int], rng: np.random.Generator) -> ConvNorm | Biased:
    """The layer of a weighted operator, its weights drawn from `rng`."""
    shape = next(graph.constants_in(operator)).shape
    source, window = operator.inputs[0], operator.window
    if window is None:
        return Biased(glorot_uniform(shape[1], shape[0], rng))
    if source in pooled:
        return Biased(he_normal((1, 1, shape[3], shape[0]), shape[3], rng))
    channels, depthwise = graph.tensors[source].shape[3], operator.kind is OpKind.DEPTHWISE_CONV_2D
    return ConvNorm(
        window.kernel[0],
        channels,
        graph.tensors[operator.outputs[0]].shape[3],
        stride=window.stride[0],
        depthwise=depthwise,
        groups=1 if depthwise else channels // shape[3],
        linear=True,
        cutter=Slices(),
        rng=rng,
    )


def _pooled(graph: Graph) -> set[int]:
    """Tensors that are one vector a picture, made by pooling a whole map: where gates are computed."""
    pooled: set[int] = set()
    for operator in graph.operators:
        from_pooled = all(i in pooled for i in graph.activations_in(operator))
        if operator.kind is OpKind.MEAN or from_pooled:
            pooled.update(operator.outputs)
    return pooled
