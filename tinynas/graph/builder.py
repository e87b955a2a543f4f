"""Builds a Graph layer by layer, with shapes worked out by TFLite's rules and no weights."""

from __future__ import annotations

from tinynas.graph.ir import Activation, DType, Graph, Operator, OpKind, Padding, Tensor, Window


class GraphBuilder:
    """Collects operators in execution order; every method returns the index of the tensor it made."""

    def __init__(self, name: str, input_shape: tuple[int, int, int]) -> None:
        """Start a network whose int8 input has `input_shape` = (rows, columns, channels)."""
        self._name = name
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self.input = self._activation("input", (1, *input_shape))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor made so far."""
        return self._tensors[tensor].shape

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
        window = Window((kernel, kernel), (stride, stride), Padding.SAME)
        weights = (channels, kernel, kernel, self.shape(x)[3] // groups)
        return self._windowed(OpKind.CONV_2D, x, channels, window, weights, activation)

    def depthwise(
        self, x: int, kernel: int, stride: int = 1, activation: Activation = Activation.NONE
    ) -> int:
        """A `kernel` x `kernel` SAME depthwise convolution with bias, multiplier 1."""
        channels = self.shape(x)[3]
        window = Window((kernel, kernel), (stride, stride), Padding.SAME)
        weights = (1, kernel, kernel, channels)
        return self._windowed(OpKind.DEPTHWISE_CONV_2D, x, channels, window, weights, activation)

    def dense(self, x: int, units: int, activation: Activation = Activation.NONE) -> int:
        """A fully connected layer with bias on a [1, n] tensor."""
        weights = self._constant("weights", (units, self.shape(x)[1]), DType.INT8)
        bias = self._constant("bias", (units,), DType.INT32)
        return self._operator(OpKind.FULLY_CONNECTED, (x, weights, bias), (1, units), activation=activation)

    def add(self, x: int, y: int, activation: Activation = Activation.NONE) -> int:
        """The elementwise sum of two feature maps of one shape."""
        return self._operator(OpKind.ADD, (x, y), self.shape(x), activation=activation)

    def multiply(self, x: int, gate: int) -> int:
        """`x` scaled channel by channel by a [1, 1, 1, c] `gate`."""
        return self._operator(OpKind.MUL, (x, gate), self.shape(x))

    def logistic(self, x: int) -> int:
        """The logistic sigmoid of `x`."""
        return self._operator(OpKind.LOGISTIC, (x,), self.shape(x))

    def global_mean(self, x: int, keep_dims: bool = False) -> int:
        """The mean over rows and columns: [1, c], or [1, 1, 1, c] with `keep_dims`."""
        channels = self.shape(x)[3]
        axes = self._constant("axes", (2,), DType.INT32)
        return self._operator(OpKind.MEAN, (x, axes), (1, 1, 1, channels) if keep_dims else (1, channels))

    def build(self, *outputs: int) -> Graph:
        """The finished graph with the given outputs."""
        return Graph(self._name, tuple(self._tensors), tuple(self._operators), (self.input,), outputs)

    def _windowed(
        self,
        kind: OpKind,
        x: int,
        channels: int,
        window: Window,
        weights_shape: tuple[int, ...],
        activation: Activation,
    ) -> int:
        weights = self._constant("weights", weights_shape, DType.INT8)
        bias = self._constant("bias", (channels,), DType.INT32)
        _, rows, columns, _ = self.shape(x)
        shape = (1, *window.output_size(rows, columns), channels)
        return self._operator(kind, (x, weights, bias), shape, window, activation)

    def _operator(
        self,
        kind: OpKind,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        window: Window | None = None,
        activation: Activation = Activation.NONE,
    ) -> int:
        output = self._activation(f"{len(self._operators)}:{kind.value.lower()}", shape)
        self._operators.append(Operator(kind, inputs, (output,), window, activation))
        return output

    def _activation(self, name: str, shape: tuple[int, ...]) -> int:
        self._tensors.append(Tensor(name, shape, DType.INT8))
        return len(self._tensors) - 1

    def _constant(self, role: str, shape: tuple[int, ...], dtype: DType) -> int:
        self._tensors.append(Tensor(f"{len(self._operators)}:{role}", shape, dtype, constant=True))
        return len(self._tensors) - 1
