"""How often each loop of a kernel is gone through: what its cycles are a sum of.

The loops are those of firmware/engine. Each name is a coefficient of a kernel's time, fitted to what a board
takes (`tinynas.cost.fitting`); one that a kernel has no use for comes out as zero there, so there are rather
too many than too few, and a kernel that changes inside seldom needs a change here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from tinynas.cost.work import Work
from tinynas.engine import winograd
from tinynas.engine.costs import blocks_of
from tinynas.graph import OpKind

#: how often, by the name of the loop
Tally = defaultdict[str, float]


def count_trips(work: Work) -> dict[str, float]:
    """The loops of all steps of an operator; those that are never gone through are left out."""
    trips: Tally = defaultdict(float)
    trips["step"] = work.output.rows
    _KERNELS.get(work.kernel, _KINDS.get(work.kind, _elements))(work, trips)
    return {name: count for name, count in trips.items() if count}


def _loops(trips: Tally, name: str, entered: int, inner: Mapping[str, int]) -> None:
    """A loop body that is `entered` so often, with `inner` loops of so many rounds in it.

    One that comes round more than once ends with a branch that goes another way than before.
    """
    trips[name] += entered
    for loop, rounds in inner.items():
        trips[f"{name}.{loop}"] += entered * rounds
        if rounds > 1:
            trips[f"{name}.{loop}, again"] += entered


def _products(depth: int) -> dict[str, int]:
    """The loops over the products of an output value: by sixteens, fours and ones."""
    return {"16": depth // 16, "4": depth % 16 // 4, "1": depth % 4}


def _ceil(count: int, by: int) -> int:
    return -(-count // by)


def _single_pixel(work: Work, trips: Tally, pixels: int) -> None:
    """products.c, tn_pixel: channels by fours."""
    channels = work.output.channels // work.groups
    trips["pixel"] += pixels
    _loops(trips, "pixel.four", pixels * _ceil(channels, 4), _products(work.depth))
    trips["pixel.left over"] += pixels * (channels % 4)


def _pointwise(work: Work, trips: Tally) -> None:
    """pointwise.c: tn_pixel_pairs of a whole row, channels outside, then tn_pixel."""
    rows, (pairs, odd) = work.output.rows, divmod(work.output.columns, 2)
    channel_pairs = _ceil(work.output.channels, 2)
    if pairs:
        trips["channels"] += rows * channel_pairs
        trips["channels, again"] += rows * channel_pairs * (pairs > 1)
        _loops(trips, "pair", rows * channel_pairs * pairs, _products(work.depth))
    if odd:
        _single_pixel(work, trips, rows)


def _patches(work: Work, trips: Tally) -> None:
    """convolution.c: for each two pixels their windows are gathered, then tn_pixel_pairs of those."""
    rows, (pairs, odd) = work.output.rows * work.groups, divmod(work.output.columns, 2)
    channel_pairs = _ceil(work.output.channels // work.groups, 2)
    trips["group"] += rows
    if pairs:
        trips["pixels"] += rows * pairs
        trips["pixels, again"] += rows * pairs * (channel_pairs > 1)
        _loops(trips, "pair", rows * pairs * channel_pairs, _products(work.depth))
    if odd:
        _single_pixel(work, trips, rows)
    _gathered(work, trips)


def _gathered(work: Work, trips: Tally) -> None:
    """The windows of all pixels, where they are inside of the map as runs of bytes."""
    assert work.window is not None
    (kernel_rows, kernel_columns), groups = work.window.kernel, work.groups
    taps, run = kernel_rows * kernel_columns, kernel_columns * work.source.channels // groups
    rows, columns = work.output.rows, work.output.columns
    below, beside = work.padded
    inside = (rows - below) * (columns - beside) if groups == 1 else 0
    tapwise = rows * columns * groups - inside
    _loops(trips, "window.row", inside * kernel_rows, _products(run))
    trips["window"] += inside
    trips["edge"] += tapwise
    trips["edge.tap"] += tapwise * taps
    trips["edge.word"] += tapwise * work.depth / 4
    trips["edge.tap.byte"] += tapwise * taps * (work.depth // taps % 4)


def _blocks(work: Work, trips: Tally) -> None:
    """tn_blocks.h: pixels by fours, and what is left, are widened, then all channels by pairs of those."""
    rows = work.output.rows
    columns = 1 if work.kind is OpKind.FULLY_CONNECTED else work.output.columns
    pairs, fours = _ceil(work.output.channels, 2), {"4": _ceil(work.depth, 4)}
    for name, blocks in zip(("quad", "three", "two", "one"), blocks_of(columns), strict=True):
        trips[name] += rows * blocks
        _loops(trips, f"{name}.pair", rows * blocks * pairs, fours)
    trips["widened"] += rows * columns
    trips["widened.word"] += rows * columns * work.depth / 4
    if work.window is not None:
        kernel_rows, kernel_columns = work.window.kernel
        below, beside = work.padded
        inside = (rows - below) * (columns - beside)
        trips["widened.row"] += rows * columns * kernel_rows
        trips["widened.left over"] += (
            rows * columns * kernel_rows * (kernel_columns * work.source.channels % 4)
        )
        trips["edge"] += rows * columns - inside
        trips["edge.word"] += (rows * columns - inside) * work.depth / 4


def _tiles(work: Work, trips: Tally) -> None:
    """winograd.c: tiles of two rows by four columns by twos, for each every four output channels."""
    rows, columns = work.output.rows, work.output.columns
    steps, pairs = _ceil(rows, winograd.ROWS), _ceil(columns, winograd.TILES * winograd.COLUMNS)
    words, fours = winograd.winograd_depth(work.source.channels) // 2, _ceil(work.output.channels, 4)
    values = winograd.WINDOW_ROWS * winograd.WINDOW_COLUMNS
    trips["step"] = steps
    trips["tiles"] += steps * pairs
    trips["tiles.word"] += steps * pairs * words
    _loops(trips, "tiles.four", steps * pairs * fours * values, {"word": words})
    trips["value"] += rows * columns * work.output.channels
    trips["edge"] += work.padded[0] * columns


def _depthwise(work: Work, trips: Tally) -> None:
    """depthwise.c: pixels whose windows lie alike together, channels by fours, taps by pairs."""
    assert work.window is not None
    taps = work.window.kernel[0] * work.window.kernel[1]
    pairs, (fours, left) = _ceil(taps, 2), divmod(work.output.channels, 4)
    pixels, stretches = work.output.rows * work.output.columns, sum(count_stretches(work))
    _loops(trips, "four", pixels * fours, {"5": pairs // 5, "1": pairs % 5})
    trips["stretch"] += stretches
    trips["stretch.four"] += stretches * fours
    trips["stretch.tap"] += stretches * taps
    trips["stretch.row"] += stretches * work.window.kernel[0]
    trips["lane"] += pixels * left
    trips["lane.tap"] += pixels * left * pairs


def count_stretches(work: Work) -> tuple[int, int]:
    """Rows of pixels side by side whose windows are inside, and pixels at an edge, each by itself."""
    (rows, columns), (below, beside) = (work.output.rows, work.output.columns), work.padded
    whole = rows - below if columns > beside else 0
    return whole, below * columns + (rows - below) * beside


def _planes(work: Work, trips: Tally) -> None:
    """depthwise_planes.c: a row of one channel at a time, outputs by twos or fours, and what is left."""
    assert work.window is not None
    kernel_columns, stride = work.window.kernel[1], work.window.stride[1]
    channels, kernel_rows = work.output.rows * work.output.channels, work.output.channels * work.rows_inside
    groups, left = divmod(work.output.columns, 2 if kernel_columns == 3 else 4)
    if left == 3:
        groups, left = groups + 1, 0
    name = f"{kernel_columns} columns"
    trips["channel"] += channels
    trips["channel.row"] += kernel_rows
    if left:
        trips[f"channel.{left} left over"] += channels
        trips[f"channel.{left} left over.row"] += kernel_rows
    trips[f"{name}.group"] += channels * groups
    trips[f"{name}.group.row"] += kernel_rows * groups
    trips["strided.group"] += channels * groups * (stride > 1)
    trips["strided.group.row"] += kernel_rows * groups * (stride > 1)
    trips["edge"] += work.padded[0] * work.output.channels


def _dense(work: Work, trips: Tally) -> None:
    """dense.c: tn_pixel of every row of the input."""
    _single_pixel(work, trips, work.output.rows * work.output.columns)


def _mean(work: Work, trips: Tally) -> None:
    """pooling.c: sums of all channels, column by column."""
    source = work.source
    trips["row"] += source.rows
    trips["column"] += source.rows * source.columns
    trips["input"] += source.rows * source.columns * source.channels
    trips["output"] += work.output.channels


def _elements(work: Work, trips: Tally) -> None:
    """Whatever goes value by value, over a window in pools."""
    rows, columns, channels = work.output.rows, work.output.columns, work.output.channels
    values = rows * columns * channels
    trips["column"] += rows * columns
    trips["value"] += values
    trips["four"] += rows * (columns * channels // 4)
    if work.window is not None:
        trips["value.row"] += values * work.window.kernel[0]
        trips["value.tap"] += values * work.window.kernel[0] * work.window.kernel[1]


_Count = Callable[[Work, Tally], None]
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
