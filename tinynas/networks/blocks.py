"""The kinds of blocks that networks consist of: how each prints, and what it adds to a Graph.

A kind is a frozen dataclass; `tinynas.networks.genotype` has the grammar that reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tinynas.errors import RequestError
from tinynas.graph import Activation, LayerBuilder


@dataclass(frozen=True, slots=True)
class Conv:
    """A `kernel` x `kernel` convolution, batch normalisation, ReLU6; ReLU where not `bounded`."""

    kernel: int
    stride: int
    channels: int
    bounded: bool = True

    def has_residual(self, in_channels: int) -> bool:
        """Never: the input is not added to the output."""
        return False

    def normalised_channels(self, in_channels: int) -> int:
        """Channels of all its convolutions that have a batch normalisation."""
        return self.channels

    def add_to(self, builder: LayerBuilder, x: int) -> int:
        """The output's map, once the block's operators stand behind map `x`."""
        activation = Activation.RELU6 if self.bounded else Activation.RELU
        return builder.conv(x, self.channels, self.kernel, self.stride, activation)

    def __str__(self) -> str:
        return f"conv_k{self.kernel}_s{self.stride}_c{self.channels}" + ("" if self.bounded else "_relu")


@dataclass(frozen=True, slots=True)
class MBConv:
    """An inverted bottleneck (MobileNetV2, fig. 4); `se` is the squeeze ratio, 0 for none.

    1x1 expand by `expand` (left out for 1), depthwise, 1x1 project, ReLU6 behind the first two; a residual
    where stride is 1 and widths are equal, unless `skip` is off.
    """

    kernel: int
    stride: int
    channels: int
    expand: int
    se: float = 0.0
    skip: bool = True

    def has_residual(self, in_channels: int) -> bool:
        """Whether the block's input is added to its output."""
        return self.skip and self.stride == 1 and in_channels == self.channels

    def normalised_channels(self, in_channels: int) -> int:
        """Channels of all its convolutions that have a batch normalisation."""
        return in_channels * self.expand * (2 if self.expand > 1 else 1) + self.channels

    def add_to(self, builder: LayerBuilder, x: int) -> int:
        """The output's map, once the block's operators stand behind map `x`."""
        channels = builder.shape(x)[3]
        y = builder.conv(x, channels * self.expand, activation=Activation.RELU6) if self.expand > 1 else x
        y = builder.depthwise(y, self.kernel, self.stride, Activation.RELU6)
        if self.se:
            y = _gate(builder, y, se_channels(self.se, channels))
        y = builder.conv(y, self.channels)
        return builder.add(x, y) if self.has_residual(channels) else y

    def __str__(self) -> str:
        text = f"ir_k{self.kernel}_s{self.stride}_e{self.expand}_c{self.channels}"
        return text + _se_text(self.se) + ("" if self.skip else "_noskip")


@dataclass(frozen=True, slots=True)
class XBlock:
    """The block of RegNet (arXiv 2003.13678, fig. 4); with `se`, the squeeze ratio, RegNetY's.

    1x1 to `channels` / `bottleneck`, grouped convolution with groups of `group_width` channels, 1x1 back to
    `channels`; the input is always added, through a strided 1x1 projection where stride or width change.
    ReLU behind the first two convolutions and the addition.

    Raises:
        RequestError: bottleneck and group width do not divide the channels.
    """

    kernel: int
    stride: int
    channels: int
    bottleneck: int
    group_width: int
    se: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a block that cannot be built."""
        if self.channels % (self.bottleneck * self.group_width):
            raise RequestError(
                f"'{self}': {self.channels} channels over the bottleneck of {self.bottleneck} are no whole "
                f"groups of {self.group_width}: make c a multiple of b x g"
            )

    @property
    def inner_channels(self) -> int:
        """Width between the two 1x1 convolutions."""
        return self.channels // self.bottleneck

    @property
    def groups(self) -> int:
        """Groups of the k x k convolution."""
        return self.inner_channels // self.group_width

    def has_residual(self, in_channels: int) -> bool:
        """Whether the block's input itself, not its projection, is added to its output."""
        return self.stride == 1 and in_channels == self.channels

    def normalised_channels(self, in_channels: int) -> int:
        """Channels of all its convolutions that have a batch normalisation."""
        shortcut = 0 if self.has_residual(in_channels) else self.channels
        return 2 * self.inner_channels + self.channels + shortcut

    def add_to(self, builder: LayerBuilder, x: int) -> int:
        """The output's map, once the block's operators stand behind map `x`.

        Groups of one channel are a depthwise convolution, which converters make of them too.
        """
        channels, inner = builder.shape(x)[3], self.inner_channels
        shortcut = x if self.has_residual(channels) else builder.conv(x, self.channels, stride=self.stride)
        y = builder.conv(x, inner, activation=Activation.RELU)
        if self.group_width == 1:
            y = builder.depthwise(y, self.kernel, self.stride, Activation.RELU)
        else:
            y = builder.conv(y, inner, self.kernel, self.stride, Activation.RELU, self.groups)
        if self.se:
            y = _gate(builder, y, se_channels(self.se, channels))
        return builder.add(shortcut, builder.conv(y, self.channels), Activation.RELU)

    def __str__(self) -> str:
        text = f"x_k{self.kernel}_s{self.stride}_c{self.channels}_b{self.bottleneck}_g{self.group_width}"
        return text + _se_text(self.se)


Block: TypeAlias = Conv | MBConv | XBlock


def se_channels(ratio: float, in_channels: int) -> int:
    """Width of the squeezed vector: the ratio counts from the block's input width, not the inner one."""
    return max(1, round(in_channels * ratio))


def _gate(builder: LayerBuilder, x: int, squeezed: int) -> int:
    """Squeeze-and-excitation of `x`: its convolutions have biases and no batch normalisation."""
    mean = builder.global_mean(x, keep_dims=True)
    hidden = builder.conv(mean, squeezed, activation=Activation.RELU)
    return builder.multiply(x, builder.logistic(builder.conv(hidden, builder.shape(x)[3])))


def _se_text(ratio: float) -> str:
    return f"_se{ratio:g}" if ratio else ""
