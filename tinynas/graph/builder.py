"""Builds networks layer by layer, with shapes worked out by TFLite's rules and no weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Padding, Tensor, Window
from tinynas.graph.outline import PLAIN_SETTINGS, Face, Likeness, Outline, Shape


class LayerBuilder(ABC):
    """Collects operators in execution order; every method returns the index of the feature map it made."""

    #: the index of the network's input
    input: int

    @abstractmethod
    def shape(self, x: int) -> Shape:
        """The shape of a feature map made so far."""

    @abstractmethod
    def _put(
        self,
        kind: OpKind,
        inputs: tuple[int, ...],
        constants: tuple[tuple[str, Shape, DType], ...],
        shape: Shape,
        window: Window | None,
        activation: Activation,
    ) -> int:
        """An operator of feature maps and behind them constants, by role; the map that it makes."""

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
        weights = (channels, kernel, kernel, self.shape(x)[3] // groups)
        return self._windowed(OpKind.CONV_2D, x, channels, (kernel, stride), weights, activation)

    def depthwise(
        self, x: int, kernel: int, stride: int = 1, activation: Activation = Activation.NONE
    ) -> int:
        """A `kernel` x `kernel` SAME depthwise convolution with bias, multiplier 1."""
        channels = self.shape(x)[3]
        weights = (1, kernel, kernel, channels)
        return self._windowed(OpKind.DEPTHWISE_CONV_2D, x, channels, (kernel, stride), weights, activation)

    def dense(self, x: int, units: int, activation: Activation = Activation.NONE) -> int:
        """A fully connected layer with bias on a [1, n] map."""
        constants = ("weights", (units, self.shape(x)[1]), DType.INT8), ("bias", (units,), DType.INT32)
        return self._put(OpKind.FULLY_CONNECTED, (x,), constants, (1, units), None, activation)

    def add(self, x: int, y: int, activation: Activation = Activation.NONE) -> int:
        """The elementwise sum of two feature maps of one shape."""
        return self._put(OpKind.ADD, (x, y), (), self.shape(x), None, activation)

    def multiply(self, x: int, gate: int) -> int:
        """`x` scaled channel by channel by a [1, 1, 1, c] `gate`."""
        return self._put(OpKind.MUL, (x, gate), (), self.shape(x), None, Activation.NONE)

    def logistic(self, x: int) -> int:
        """The logistic sigmoid of `x`."""
        return self._put(OpKind.LOGISTIC, (x,), (), self.shape(x), None, Activation.NONE)

    def global_mean(self, x: int, keep_dims: bool = False) -> int:
        """The mean over rows and columns: [1, c], or [1, 1, 1, c] with `keep_dims`."""
        channels = self.shape(x)[3]
        shape = (1, 1, 1, channels) if keep_dims else (1, channels)
        return self._put(OpKind.MEAN, (x,), (("axes", (2,), DType.INT32),), shape, None, Activation.NONE)

    def _windowed(
        self,
        kind: OpKind,
        x: int,
        channels: int,
        window: tuple[int, int],
        weights: Shape,
        activation: Activation,
    ) -> int:
        _, rows, columns, _ = self.shape(x)
        slides = _same_window(*window)
        shape = (1, *slides.output_size(rows, columns), channels)
        constants = ("weights", weights, DType.INT8), ("bias", (channels,), DType.INT32)
        return self._put(kind, (x,), constants, shape, slides, activation)


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

    def _put(
        self,
        kind: OpKind,
        inputs: tuple[int, ...],
        constants: tuple[tuple[str, Shape, DType], ...],
        shape: Shape,
        window: Window | None,
        activation: Activation,
    ) -> int:
        number = len(self._operators)
        fixed = [self._tensor(f"{number}:{role}", size, dtype, True) for role, size, dtype in constants]
        output = self._tensor(f"{number}:{kind.value.lower()}", shape, DType.INT8)
        self._operators.append(Operator(kind, (*inputs, *fixed), (output,), window, activation))
        return output

    def _tensor(self, name: str, shape: Shape, dtype: DType, constant: bool = False) -> int:
        self._tensors.append(Tensor(name, shape, dtype, constant))
        return len(self._tensors) - 1


class OutlineBuilder(LayerBuilder):
    """Makes an Outline: several times as fast as a Graph."""

    def __init__(self, input_shape: Shape) -> None:
        """Start a network whose int8 input has `input_shape` = (rows, columns, channels)."""
        self.input = 0
        self._maps: list[Face] = [((1, *input_shape), DType.INT8, False)]
        self._operators: list[Likeness] = []
        self._inputs: list[tuple[int, ...]] = []

    def shape(self, x: int) -> Shape:
        """As `LayerBuilder.shape`."""
        return self._maps[x][0]

    def build(self) -> Outline:
        """The finished outline, whose output is the map made last."""
        return Outline(tuple(self._operators), tuple(self._inputs))

    def _put(
        self,
        kind: OpKind,
        inputs: tuple[int, ...],
        constants: tuple[tuple[str, Shape, DType], ...],
        shape: Shape,
        window: Window | None,
        activation: Activation,
    ) -> int:
        maps, made = self._maps, (shape, DType.INT8, False)
        read = *[maps[x] for x in inputs], *[(size, dtype, True) for _, size, dtype in constants]
        self._operators.append(Likeness(kind, window, activation, PLAIN_SETTINGS, read, made))
        self._inputs.append(inputs)
        maps.append(made)
        return len(maps) - 1
