"""What the tests of the C kernels draw: shapes, windows, rings, constants and extreme values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from kernel_host import (
    Constants,
    Conv,
    Scale,
)
from kernel_reference import finish, rescale
from numpy.typing import NDArray

Int8 = NDArray[np.int8]
seeds = st.integers(0, 2**32 - 1)
zero_points = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
#: activations: none or ReLU with the usual zero point, and two that clamp for real
clamps = st.sampled_from([(-128, 127), (-128, 127), (-3, 100), (5, 5)])


def draw_values(rng: np.random.Generator, shape: tuple[int, ...], low: int = -128) -> Int8:
    """Random int8, one time in three only the extremes."""
    if rng.integers(3) == 0:
        return rng.choice(np.array([low, 127], np.int8), shape)
    return rng.integers(low, 128, shape).astype(np.int8)


@dataclass(frozen=True)
class Window:
    """A drawn map and the window that walks over it."""

    rows: int
    columns: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    out: tuple[int, int]
    ring: bool

    def reads(self) -> list[tuple[int, int]]:
        """First and last input row of each output row, before cutting to the map."""
        first = [y * self.stride[0] - self.pad[0] for y in range(self.out[0])]
        return [(row, row + self.kernel[0] - 1) for row in first]

    def slots(self) -> int | None:
        """Rows of the ring, None where the map lies whole."""
        return self.kernel[0] if self.ring and self.kernel[0] < self.rows else None


@st.composite
def drawn_windows(draw: st.DrawFn, padded: bool = True, large: bool = False) -> Window:
    """Kernels to 7 x 7 (to 12 x 12 if `large`), strides to 3, any padding that leaves no window outside."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    kernel = [draw(st.integers(1, 12 if large else 7)) for _ in range(2)]
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pad, out = [0, 0], [0, 0]
    for axis, size in enumerate((rows, columns)):
        if not padded:
            kernel[axis] = min(kernel[axis], size)
        k = kernel[axis]
        before = draw(st.integers(0, k - 1)) if padded else 0
        after = draw(st.integers(0, k - 1)) if padded else 0
        after = max(after, k - size - before)
        pad[axis] = before
        out[axis] = (size + before + after - k) // stride[axis] + 1
    sizes = (kernel[0], kernel[1]), (pad[0], pad[1]), (out[0], out[1])
    return Window(rows, columns, sizes[0], stride, sizes[1], sizes[2], draw(st.booleans()))


@dataclass
class Layer:
    """A convolution's constants but the weights' layout."""

    bias: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int8]
    narrow: bool

    def outputs(self, sums: NDArray[np.int64], zero: int, clamp: tuple[int, int]) -> Int8:
        """What the sums (without bias) become; a wide one wraps around in 32 bits, as TFLite's does."""
        whole = (sums + self.bias).astype(np.int32)
        return finish(rescale(whole, self.multipliers, self.shifts), zero, *clamp)


def draw_layer(rng: np.random.Generator, outputs: int, weights: NDArray[np.int64], wide: bool) -> Layer:
    """Constants for `weights` (outputs last): mostly with results in range, at times far from it."""
    reach = 128 * int(np.abs(weights).reshape(-1, outputs).sum(axis=0).max(initial=0)) + 1
    bound = 2**31 - 1 if wide else 2**30 - 1 - reach
    bias = rng.integers(-min(bound, 4 * reach), min(bound, 4 * reach) + 1, outputs)
    if rng.integers(4) == 0:
        bias = rng.choice(np.array([-bound, bound]), outputs)
    right = np.clip(int(np.log2(reach)) - 7 + rng.integers(-2, 3, outputs), 1, 31)
    if rng.integers(4) == 0:
        right = rng.integers(1, 32, outputs)
    if wide:
        right = np.where(rng.integers(2, size=outputs) == 0, rng.integers(-10, 2, outputs), right)
    multipliers = rng.integers(2**30, 2**31, outputs)
    if rng.integers(4) == 0:
        multipliers = rng.choice(np.array([2**30, 2**31 - 1]), outputs)
    if wide:
        multipliers[rng.integers(outputs)] = 0
    return Layer(bias.astype(np.int32), multipliers.astype(np.int32), (-right).astype(np.int8), not wide)


def conv_parameters(
    constants: Constants,
    weights: Int8,
    layer: Layer,
    depth: int,
    zero: int,
    clamp: tuple[int, int],
    padding: Int8 | None = None,
    window: Window | None = None,
    groups: int = 1,
) -> Conv:
    """tn_conv."""
    return Conv(
        weights=constants.pointer(weights),
        bias=constants.pointer(layer.bias),
        multipliers=constants.pointer(layer.multipliers),
        shifts=constants.pointer(layer.shifts),
        padding=constants.pointer(padding),
        depth=depth,
        kernel_rows=window.kernel[0] if window else 1,
        kernel_columns=window.kernel[1] if window else 1,
        stride_rows=window.stride[0] if window else 1,
        stride_columns=window.stride[1] if window else 1,
        pad_top=window.pad[0] if window else 0,
        pad_left=window.pad[1] if window else 0,
        groups=groups,
        output_zero=zero,
        low=clamp[0],
        high=clamp[1],
        narrow=layer.narrow,
    )


def apply(scale: Scale, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """`values` times `scale`."""
    return rescale(values, scale.multiplier, scale.shift)
