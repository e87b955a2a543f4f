"""Builds networks layer by layer, with shapes worked out by TFLite's rules and no weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Padding, Tensor, Window
from tinynas.graph.outline import MOST_REMEMBERED, PLAIN_SETTINGS, Likeness, Outline, Shape, likeness


class LayerBuilder(ABC):
    """Collects operators in execution order; every method returns the index of the feature map it made."""

    #: the index of the network's input
    input: int

    @abstractmethod
    def shape(self, x: int) -> Shape:
        """The shape of a feature map made so far."""

    @abstractmethod
    def _put(self, operator: Likeness, *maps: int) -> int:
        """An operator like this that reads `maps`; the index of the map that it makes."""

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: Activation = Activation.NONE,
        groups: int = 1,
    ) -> int:
        """A `kernel` x `kernel` SAME convolution with bias, in `groups` groups."""
        return self._put(_convolution(self.shape(x), channels, kernel, stride, activation, groups), x)

    def depthwise(
        self, x: int, kernel: int, stride: int = 1, activation: Activation = Activation.NONE
    ) -> int:
        """A `kernel` x `kernel` SAME depthwise convolution with bias, multiplier 1."""
        return self._put(_depthwise(self.shape(x), kernel, stride, activation), x)

    def dense(self, x: int, units: int, activation: Activation = Activation.NONE) -> int:
        """A fully connected layer with bias on a [1, n] map."""
        shape = self.shape(x)
        constants = ((units, shape[1]), DType.INT8), ((units,), DType.INT32)
        return self._put(_like(OpKind.FULLY_CONNECTED, (shape,), (1, units), constants, None, activation), x)

    def add(self, x: int, y: int, activation: Activation = Activation.NONE) -> int:
        """The elementwise sum of two feature maps of one shape."""
        shape = self.shape(x)
        return self._put(_like(OpKind.ADD, (shape, self.shape(y)), shape, (), None, activation), x, y)

    def multiply(self, x: int, gate: int) -> int:
        """`x` scaled channel by channel by a [1, 1, 1, c] `gate`."""
        shape = self.shape(x)
        return self._put(_like(OpKind.MUL, (shape, self.shape(gate)), shape), x, gate)

    def logistic(self, x: int) -> int:
        """The logistic sigmoid of `x`."""
        shape = self.shape(x)
        return self._put(_like(OpKind.LOGISTIC, (shape,), shape), x)

    def global_mean(self, x: int, keep_dims: bool = False) -> int:
        """The mean over rows and columns: [1, c], or [1, 1, 1, c] with `keep_dims`."""
        shape = self.shape(x)
        made = (1, 1, 1, shape[3]) if keep_dims else (1, shape[3])
        return self._put(_like(OpKind.MEAN, (shape,), made, (((2,), DType.INT32),)), x)


def _int8(
    kind: OpKind,
    maps: tuple[Shape, ...],
    made: Shape,
    constants: tuple[tuple[Shape, DType], ...] = (),
    window: Window | None = None,
    activation: Activation = Activation.NONE,
) -> Likeness:
    """That of an int8 operator which reads `maps` and, behind them, `constants`."""
    inputs = *[(shape, DType.INT8, False) for shape in maps], *[(*each, True) for each in constants]
    return likeness(kind, window, activation, PLAIN_SETTINGS, inputs, (made, DType.INT8, False))


_like = lru_cache(maxsize=MOST_REMEMBERED)(_int8)


@lru_cache(maxsize=MOST_REMEMBERED)
def _convolution(
    source: Shape, channels: int, kernel: int, stride: int, activation: Activation, groups: int
) -> Likeness:
    weights = (channels, kernel, kernel, source[3] // groups)
    return _windowed(OpKind.CONV_2D, source, channels, stride, weights, activation)


@lru_cache(maxsize=MOST_REMEMBERED)
def _depthwise(source: Shape, kernel: int, stride: int, activation: Activation) -> Likeness:
    weights = (1, kernel, kernel, source[3])
    return _windowed(OpKind.DEPTHWISE_CONV_2D, source, source[3], stride, weights, activation)


def _windowed(
    kind: OpKind, source: Shape, channels: int, stride: int, weights: Shape, activation: Activation
) -> Likeness:
    window = _same_window(weights[1], stride)
    made = (1, *window.output_size(source[1], source[2]), channels)
    constants = (weights, DType.INT8), ((channels,), DType.INT32)
    return _int8(kind, (source,), made, constants, window, activation)


@lru_cache
def _same_window(kernel: int, stride: int) -> Window:
    return Window((kernel, kernel), (stride, stride), Padding.SAME)


class GraphBuilder(LayerBuilder):
    """Makes a Graph."""

    def __init__(self, name: str, input_shape: tuple[int, int, int]) -> None:
        """Start a network whose int8 input has `input_shape` = (rows, columns, channels)."""
        self._name = name
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self.input = self._tensor("input", (1, *input_shape), DType.INT8)

    def shape(self, x: int) -> Shape:
        """As `LayerBuilder.shape`."""
        return self._tensors[x].shape

    def build(self, *outputs: int) -> Graph:
        """The finished graph with the given outputs."""
        return Graph(self._name, tuple(self._tensors), tuple(self._operators), (self.input,), outputs)

    def _put(self, operator: Likeness, *maps: int) -> int:
        kind, number = operator.kind, len(self._operators)
        constants = [face for face in operator.inputs if face is not None and face[2]]
        roles = ("axes",) if kind is OpKind.MEAN else ("weights", "bias")
        fixed = [
            self._tensor(f"{number}:{role}", *face) for role, face in zip(roles, constants, strict=False)
        ]
        output = self._tensor(f"{number}:{kind.value.lower()}", *operator.output)
        self._operators.append(
            Operator(kind, (*maps, *fixed), (output,), operator.window, operator.activation)
        )
        return output

    def _tensor(self, name: str, shape: Shape, dtype: DType, constant: bool = False) -> int:
        self._tensors.append(Tensor(name, shape, dtype, constant))
        return len(self._tensors) - 1


class OutlineBuilder(LayerBuilder):
    """Makes an Outline: several times as fast as a Graph."""

    def __init__(self, input_shape: Shape) -> None:
        """Start a network whose int8 input has `input_shape` = (rows, columns, channels)."""
        self.input = 0
        self._shapes: list[Shape] = [(1, *input_shape)]
        self._operators: list[Likeness] = []
        self._reads: list[tuple[int, ...]] = []

    def shape(self, x: int) -> Shape:
        """As `LayerBuilder.shape`."""
        return self._shapes[x]

    def build(self) -> Outline:
        """The finished outline, whose output is the map made last."""
        return Outline(tuple(self._operators), tuple(self._reads))

    def _put(self, operator: Likeness, *maps: int) -> int:
        self._operators.append(operator)
        self._reads.append(maps)
        self._shapes.append(operator.output[0])
        return len(self._operators)
