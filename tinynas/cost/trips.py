"""How often each loop of a kernel is gone through: what its cycles are a sum of.

The loops are those of firmware/engine. Each name is a coefficient of a kernel's time, fitted to what a board
takes (`tinynas.cost.fitting`); one that a kernel has no use for comes out as zero there, so there are rather
too many than too few, and a kernel that changes inside seldom needs a change here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from tinynas.cost.work import Margins, Work
from tinynas.engine import winograd
from tinynas.engine.costs import blocks_of
from tinynas.engine.tasks import Task
from tinynas.graph import OpKind

#: how often, by the name of the loop
Tally = defaultdict[str, float]


def count_trips(work: Work) -> dict[str, float]:
    """The loops of all steps of an operator; some are never gone through."""
    trips: Tally = defaultdict(float)
    trips["step"] = work.task.output.rows
    _KERNELS.get(work.kernel, _KINDS.get(work.task.kind, _elements))(work.task, trips)
    if work.margins is not None:
        _cleared(work.margins, work.task.output.channels, trips)
    return trips


def _loops(trips: Tally, name: str, entered: int, inner: Mapping[str, int]) -> None:
    """A loop body that is `entered` so often, with `inner` loops of so many rounds in it.

    One that comes round more than once ends with a branch that goes another way than before.
    """
    trips[name] += entered
    for loop, rounds in inner.items():
        trips[f"{name}.{loop}"] += entered * rounds
        trips[f"{name}.{loop}, again"] += entered * (rounds > 1)


def _products(depth: int) -> dict[str, int]:
    """The loops over the products of an output value: by sixteens, fours and ones."""
    return {"16": depth // 16, "4": depth % 16 // 4, "1": depth % 4}


def _ceil(count: int, by: int) -> int:
    return -(-count // by)


def _single_pixel(task: Task, trips: Tally, pixels: int) -> None:
    """products.c, tn_pixel: channels by fours."""
    channels = task.output.channels // task.groups
    trips["pixel"] += pixels
    _loops(trips, "pixel.four", pixels * _ceil(channels, 4), _products(task.depth))
    trips["pixel.left over"] += pixels * (channels % 4)


def _pointwise(task: Task, trips: Tally) -> None:
    """pointwise.c: tn_pixel_pairs of a whole row, channels outside, then tn_pixel."""
    rows, (pairs, odd) = task.output.rows, divmod(task.output.columns, 2)
    channel_pairs = _ceil(task.output.channels, 2)
    trips["channels"] += rows * channel_pairs * (pairs > 0)
    trips["channels, again"] += rows * channel_pairs * (pairs > 1)
    _loops(trips, "pair", rows * channel_pairs * pairs, _products(task.depth))
    _single_pixel(task, trips, rows * odd)


def _patches(task: Task, trips: Tally) -> None:
    """convolution.c: for each two pixels their windows are gathered, then tn_pixel_pairs of those."""
    rows, (pairs, odd) = task.output.rows * task.groups, divmod(task.output.columns, 2)
    channel_pairs = _ceil(task.output.channels // task.groups, 2)
    trips["group"] += rows
    trips["pixels"] += rows * pairs
    trips["pixels, again"] += rows * pairs * (channel_pairs > 1)
    _loops(trips, "pair", rows * pairs * channel_pairs, _products(task.depth))
    _single_pixel(task, trips, rows * odd)
    _gathered(task, trips)


def _gathered(task: Task, trips: Tally) -> None:
    """The windows of all pixels, where they are inside of the map as runs of bytes."""
    assert task.window is not None
    (kernel_rows, kernel_columns), groups = task.window.kernel, task.groups
    taps, run = kernel_rows * kernel_columns, kernel_columns * task.source.channels // groups
    rows, columns = task.output.rows, task.output.columns
    below, beside = task.padded
    inside = (rows - below) * (columns - beside) * (groups == 1)
    tapwise = rows * columns * groups - inside
    _loops(trips, "window.row", inside * kernel_rows, _products(run))
    trips["window"] += inside
    trips["edge"] += tapwise
    trips["edge.tap"] += tapwise * taps
    trips["edge.word"] += tapwise * task.depth / 4
    trips["edge.tap.byte"] += tapwise * taps * (task.depth // taps % 4)


def _blocks(task: Task, trips: Tally) -> None:
    """tn_blocks.h: pixels by fours, and what is left, are widened, then all channels by pairs of those."""
    rows = task.output.rows
    columns = 1 if task.kind is OpKind.FULLY_CONNECTED else task.output.columns
    pairs, fours = _ceil(task.output.channels, 2), {"4": _ceil(task.depth, 4)}
    for name, blocks in zip(("quad", "three", "two", "one"), blocks_of(columns), strict=True):
        trips[name] += rows * blocks
        _loops(trips, f"{name}.pair", rows * blocks * pairs, fours)
    trips["widened"] += rows * columns
    trips["widened.word"] += rows * columns * task.depth / 4
    if task.window is not None:
        kernel_rows, kernel_columns = task.window.kernel
        below, beside = task.padded
        inside = (rows - below) * (columns - beside)
        trips["widened.row"] += rows * columns * kernel_rows
        trips["widened.left over"] += (
            rows * columns * kernel_rows * (kernel_columns * task.source.channels % 4)
        )
        trips["edge"] += rows * columns - inside
        trips["edge.word"] += (rows * columns - inside) * task.depth / 4


def _cleared(margins: Margins, channels: int, trips: Tally) -> None:
    """targets.c: what is beside the columns of every channel, in stores of which gaps of 4 bytes take one."""
    gaps = margins.rows * channels
    trips["gap"] += gaps
    for least in (4, 8, 16):
        trips[f"gap over {least}"] += gaps * (margins.gap > least)
    trips["gap over 16.word"] += gaps * max(0, margins.gap - 16) / 4


def _tiles(task: Task, trips: Tally) -> None:
    """winograd.c: tiles of two rows by four columns by twos, for each every four output channels."""
    rows, columns = task.output.rows, task.output.columns
    steps, pairs = _ceil(rows, winograd.ROWS), _ceil(columns, winograd.TILES * winograd.COLUMNS)
    words, fours = winograd.winograd_depth(task.source.channels) // 2, _ceil(task.output.channels, 4)
    values = winograd.WINDOW_ROWS * winograd.WINDOW_COLUMNS
    trips["step"] = steps
    trips["tiles"] += steps * pairs
    trips["tiles.word"] += steps * pairs * words
    _loops(trips, "tiles.four", steps * pairs * fours * values, {"word": words})
    trips["value"] += rows * columns * task.output.channels
    trips["edge"] += task.padded[0] * columns


def _depthwise(task: Task, trips: Tally) -> None:
    """depthwise.c: pixels whose windows lie alike together, channels by fours, taps by pairs."""
    assert task.window is not None
    taps = task.window.kernel[0] * task.window.kernel[1]
    pairs, (fours, left) = _ceil(taps, 2), divmod(task.output.channels, 4)
    pixels, stretches = task.output.rows * task.output.columns, sum(count_stretches(task))
    _loops(trips, "four", pixels * fours, {"5": pairs // 5, "1": pairs % 5})
    trips["stretch"] += stretches
    trips["stretch.four"] += stretches * fours
    trips["stretch.tap"] += stretches * taps
    trips["stretch.row"] += stretches * task.window.kernel[0]
    trips["lane"] += pixels * left
    trips["lane.tap"] += pixels * left * pairs


def count_stretches(task: Task) -> tuple[int, int]:
    """Rows of pixels side by side whose windows are inside, and pixels at an edge, each by itself."""
    (rows, columns), (below, beside) = (task.output.rows, task.output.columns), task.padded
    whole = (rows - below) * (columns > beside)
    return whole, below * columns + (rows - below) * beside


def _planes(task: Task, trips: Tally) -> None:
    """depthwise_planes.c: a row of one channel at a time, outputs by twos or fours, and what is left."""
    assert task.window is not None
    kernel_columns, stride = task.window.kernel[1], task.window.stride[1]
    channels, kernel_rows = task.output.rows * task.output.channels, task.output.channels * task.rows_inside
    groups, left = divmod(task.output.columns, 2 if kernel_columns == 3 else 4)
    groups, left = groups + (left == 3), left * (left < 3)
    name = f"{kernel_columns} columns"
    trips["channel"] += channels
    trips["channel.row"] += kernel_rows
    for number in (1, 2):
        trips[f"channel.{number} left over"] += channels * (left == number)
        trips[f"channel.{number} left over.row"] += kernel_rows * (left == number)
    trips[f"{name}.group"] += channels * groups
    trips[f"{name}.group.row"] += kernel_rows * groups
    trips["strided.group"] += channels * groups * (stride > 1)
    trips["strided.group.row"] += kernel_rows * groups * (stride > 1)
    trips["edge"] += task.padded[0] * task.output.channels


def _dense(task: Task, trips: Tally) -> None:
    """dense.c: tn_pixel of every row of the input."""
    _single_pixel(task, trips, task.output.rows * task.output.columns)


def _mean(task: Task, trips: Tally) -> None:
    """pooling.c: sums of all channels, column by column."""
    source = task.source
    trips["row"] += source.rows
    trips["column"] += source.rows * source.columns
    trips["input"] += source.rows * source.columns * source.channels
    trips["output"] += task.output.channels


def _elements(task: Task, trips: Tally) -> None:
    """Whatever goes value by value, over a window in pools."""
    rows, columns, channels = task.output.rows, task.output.columns, task.output.channels
    values = rows * columns * channels
    trips["column"] += rows * columns
    trips["value"] += values
    trips["four"] += rows * (columns * channels // 4)
    if task.window is not None:
        trips["value.row"] += values * task.window.kernel[0]
        trips["value.tap"] += values * task.window.kernel[0] * task.window.kernel[1]


_Count = Callable[[Task, Tally], None]
_KERNELS: Mapping[str, _Count] = {
    "tn_pointwise": _pointwise,
    "tn_convolve": _patches,
    "tn_convolve_groups": _patches,
    "tn_convolve_winograd": _tiles,
    "tn_depthwise": _depthwise,
    "tn_depthwise_planes": _planes,
    "tn_depthwise_planes_3": _planes,
    "tn_dense": _dense,
}
#: of kernels that are not named above
_KINDS: Mapping[OpKind, _Count] = {
    OpKind.CONV_2D: _blocks,
    OpKind.FULLY_CONNECTED: _blocks,
    OpKind.MEAN: _mean,
}
