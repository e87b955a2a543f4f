"""Cache lines that an operator's kernel has to wait for, by the order in which its loops touch memory.

What a round of a loop touches is still in the cache in the next round where a round touches no more than that
holds; else it is fetched anew, round by round. Weights and constants lie in flash, which a cache serves on
every core; feature maps only where it serves their memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tinynas.cost.trips import count_stretches
from tinynas.cost.work import DataMemory, Work
from tinynas.elementwise import larger, smaller, where
from tinynas.engine import winograd
from tinynas.graph import OpKind

#: the names of all lines begin so
LINE = "line"
#: lines by what they hold
Lines = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Pixels of a row multiplied together; bytes of a value of theirs, of a weight, of a channel's constants.

    A step makes so many `rows`.
    """

    pixels: int = 2
    value_bytes: float = 1
    weight_bytes: float = 1
    constants: int = 9
    rows: int = 1


#: columns of zeros beside a plane, about
_PLANE_MARGIN = 4
#: of kernels whose names end so
_LAYOUTS = {
    "packed": _Layout(4, 2, 1, 16),
    "paired": _Layout(4, 2, 2, 16),
    # of 9 values and weights 24 of two bytes are made
    "winograd": _Layout(8, 2 * 24 * 2 / 8 / 9, 24 * 2 / 9, 16, rows=2),
}


def _layout(work: Work) -> _Layout:
    layout = _LAYOUTS.get(work.kernel.removesuffix("_planes").rpartition("_")[2], _Layout())
    if layout.rows == winograd.ROWS:
        return replace(layout, pixels=winograd.held_columns(work.task.source.channels))
    return layout


def count_lines(work: Work, memory: DataMemory) -> Lines:
    """The lines fetched in all steps of an operator: of weights, constants, inputs, outputs, scratch."""
    if memory.cache_bytes == 0:
        return {}
    counted = _KERNELS.get(work.kernel, _KINDS.get(work.task.kind, _elements))(work, memory)
    return {f"{LINE} of {what}": lines for what, lines in counted.items()}


def _again(memory: DataMemory, touched: float, rounds: float) -> float:
    """How often the same lines are fetched in `rounds` rounds that touch so many bytes each."""
    return 1 + (rounds - 1) * memory.lost(touched)


def _either(share: float, usual: float, lost: float) -> float:
    """So many lines where a `share` of what a loop touches is lost between its rounds."""
    return usual + share * (lost - usual)


def _ceil(count: float, by: int) -> float:
    return -(-count // by)


def _pointwise(work: Work, memory: DataMemory) -> Lines:
    """For each row every two channels: their weights, and by twos of pixels the input and the output.

    An odd last pixel is behind all of those: for it every channel's weights are gone through once more.
    """
    line, depth, seen, made = memory.line_bytes, work.task.depth, work.exposed.source, work.exposed.output
    rows, columns, channels = work.task.output.rows, work.task.output.columns, work.task.output.channels
    constants, channel_pairs = _layout(work).constants, _ceil(channels, 2)
    by_pixels = 2 * depth * (1 + 2 * seen) + 4 * line * made
    by_channels = 4 * depth + columns * (larger(depth, line) * seen + smaller(channels, line) * made)
    by_rows = (depth + constants) * channels + columns * (depth * seen + channels * made)
    pairs, odd = divmod(columns, 2)
    of_a_row = _again(memory, by_pixels, pairs) * (pairs > 0) + odd
    fetched = channel_pairs * _either(memory.lost(by_rows), 1, rows * of_a_row)
    row_lines = columns * channels / line
    return {
        "weights": _ceil(2 * depth, line) * fetched,
        "constants": 2 * constants / line * fetched,
        "inputs": seen * rows * _ceil(columns * depth, line) * _again(memory, by_channels, channel_pairs),
        "outputs": made * rows * _either(memory.lost(by_channels), row_lines, columns * channel_pairs),
    }


def _windows(work: Work, memory: DataMemory) -> Lines:
    """For each step and group some pixels: a vector of their inputs, and every two channels' weights."""
    assert work.task.window is not None
    line, seen, made, layout = memory.line_bytes, work.exposed.source, work.exposed.output, _layout(work)
    groups, source, output = work.task.groups, work.task.source, work.task.output
    inputs, channels = source.channels // groups, output.channels // groups
    (kernel_rows, kernel_columns), pixels = work.task.window.kernel, _ceil(output.columns, layout.pixels)
    steps, moved = _ceil(output.rows, layout.rows), layout.rows * work.task.window.stride[0]
    reach = kernel_rows + moved - work.task.window.stride[0]
    constants = layout.constants * channels
    weights = work.task.depth * layout.weight_bytes * channels
    vector = layout.pixels * work.task.depth * layout.value_bytes * work.exposed.scratch
    taps = reach * kernel_columns * layout.pixels
    row_bytes, pixel_bytes = _made(work, layout.pixels, line)

    by_channels = 2 * work.task.depth * layout.weight_bytes + vector
    fixed = weights + constants + vector
    by_pixels = fixed + layout.rows * pixel_bytes / groups * made + taps * larger(inputs, line) * seen
    by_groups = (
        fixed
        + reach * source.columns * smaller(larger(inputs, line), source.channels) * seen
        + layout.rows * output.columns * smaller(larger(channels, line), output.channels) * made
    )
    maps = reach * source.row_bytes * seen + layout.rows * output.row_bytes * made
    by_steps = groups * (weights + constants) + maps
    fetched = groups * _again(memory, by_pixels, pixels) * _again(memory, by_steps, steps)
    new_rows = _either(memory.lost(by_steps), moved, reach)
    scattered = where(groups > 1, memory.lost(by_groups), 0.0)
    group_lines = source.columns * groups * larger(1.0, inputs / line)
    vectors = steps * groups * pixels * _again(memory, by_channels, _ceil(channels, 2))
    made_apart, made_lines = scattered, output.columns * groups * _ceil(channels, line)
    if work.margins is not None:
        # every few pixels all planes are gone through
        made_apart, made_lines = memory.lost(by_pixels), pixels * output.channels
    return {
        "weights": _ceil(weights, line) * fetched,
        "constants": constants / line * fetched,
        "scratch": _ceil(vector, line) * vectors,
        "inputs": seen * steps * new_rows * _either(scattered, source.row_bytes / line, group_lines),
        "outputs": made * output.rows * _either(made_apart, row_bytes / line, made_lines),
    }


def _made(work: Work, pixels: int, line: int) -> tuple[float, float]:
    """Bytes of a row of the output, and those touched to write so many pixels of it: in planes more."""
    output = work.task.output
    if not work.kernel.endswith("_planes"):
        return output.row_bytes, pixels * output.channels
    plane = 2 * (output.columns + _PLANE_MARGIN)
    return plane * output.channels, smaller(plane, line) * output.channels


def _depthwise(work: Work, memory: DataMemory) -> Lines:
    """For each stretch of pixels every four channels: their weights, and pixel by pixel the window."""
    assert work.task.window is not None
    line, seen, made = memory.line_bytes, work.exposed.source, work.exposed.output
    source, output, fours = work.task.source, work.task.output, _ceil(work.task.output.channels, 4)
    kernel_rows, kernel_columns = work.task.window.kernel
    weights, constants = _ceil(kernel_rows * kernel_columns, 2) * 8, 4 * _layout(work).constants

    by_fours = weights + smaller(line, output.channels) * (
        kernel_rows * source.columns * seen + output.columns * made
    )
    all_ = fours * (weights + constants)
    by_stretches = all_ + (kernel_rows * kernel_columns * seen + made) * output.channels
    by_rows = all_ + kernel_rows * source.row_bytes * seen + output.row_bytes * made
    fetched = fours * _either(
        memory.lost(by_stretches), _again(memory, by_rows, output.rows), sum(count_stretches(work.task))
    )
    new_rows = _either(memory.lost(by_rows), work.task.window.stride[0], kernel_rows)
    scattered = memory.lost(by_fours)
    by_four_lines = kernel_rows * source.columns * fours
    return {
        "weights": weights / line * fetched,
        "constants": constants / line * fetched,
        "inputs": seen * output.rows * _either(scattered, new_rows * source.row_bytes / line, by_four_lines),
        "outputs": made * output.rows * output.columns * _either(scattered, output.channels / line, fours),
    }


def _planes(work: Work, memory: DataMemory) -> Lines:
    """For each row channel by channel: its weights, and the rows of its planes."""
    assert work.task.window is not None
    line, seen, made, output = memory.line_bytes, work.exposed.source, work.exposed.output, work.task.output
    kernel_rows, kernel_columns = work.task.window.kernel
    weights = 4 * kernel_rows * (kernel_columns - 1) + _LAYOUTS["packed"].constants
    plane = 2 * (work.task.source.columns + _PLANE_MARGIN)
    by_channels = (
        weights + kernel_rows * plane * seen + output.columns * smaller(line, output.channels) * made
    )
    by_rows = output.channels * (weights + kernel_rows * plane * seen) + output.row_bytes * made
    new_rows = _either(memory.lost(by_rows), work.task.window.stride[0], kernel_rows)
    row_lines = output.row_bytes / line
    return {
        "weights": weights * output.channels / line * _again(memory, by_rows, output.rows),
        "inputs": seen * output.rows * new_rows * plane * output.channels / line,
        "outputs": made * output.rows * _either(memory.lost(by_channels), row_lines, output.row_bytes),
    }


def _dense(work: Work, memory: DataMemory) -> Lines:
    """Every weight once."""
    layout, channels = _layout(work), work.task.output.channels
    return {
        "weights": work.task.depth * channels * layout.weight_bytes / memory.line_bytes,
        "constants": layout.constants * channels / memory.line_bytes,
    }


def _elements(work: Work, memory: DataMemory) -> Lines:
    """Every value of inputs and output once; the second input is taken to be where the first is."""
    read = work.task.source.bytes + (work.task.other.bytes if work.task.other is not None else 0)
    return {
        "inputs": work.exposed.source * read / memory.line_bytes,
        "outputs": work.exposed.output * work.task.output.bytes / memory.line_bytes,
    }


_Count = Callable[[Work, DataMemory], Lines]
_KERNELS: Mapping[str, _Count] = {
    "tn_pointwise": _pointwise,
    "tn_depthwise_planes": _planes,
    "tn_depthwise_planes_3": _planes,
}
#: of kernels that are not named above
_KINDS: Mapping[OpKind, _Count] = {
    OpKind.CONV_2D: _windows,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _dense,
}
