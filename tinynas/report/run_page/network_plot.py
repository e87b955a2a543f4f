"""The pictures of one network: its blocks and what each takes, and the cycles of its operators."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinynas.report.run_page.operator_table import OperatorRow
from tinynas.report.run_page.sections import Block, Network
from tinynas.report.style import (
    BLUE,
    BROWN,
    FAINT,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    SMALL,
    TEAL,
    new_figure,
    tidy,
)
from tinynas.units import KIB, format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: by kernel size: what a look should tell apart first
_KERNELS: Mapping[int, str] = {1: MUTED, 3: BLUE, 5: GREEN, 7: BROWN, 9: PURPLE}
#: by kind of operator; every other is drawn in the last
_KINDS: Mapping[str, str] = {
    "CONV_2D": BLUE,
    "DEPTHWISE_CONV_2D": ORANGE,
    "FULLY_CONNECTED": PURPLE,
    "ADD": GREEN,
    "MEAN": TEAL,
}
_OTHER = FAINT
#: inches a block's row is high
_ROW = 0.26
#: where in its row, as shares: the middle of a block's box, its bow, and what is said of it
_BOX, _BOW, _WORDS = 0.15, 0.31, 0.36


def draw_blocks(network: Network) -> Figure:
    """One row a block, the first on top: what it is, its MACs, and how far it fills the arena."""
    blocks = network.blocks
    figure = new_figure(_ROW * len(blocks) + 0.85)
    shape, macs, sram = figure.subplots(1, 3, sharey=True, width_ratios=(3, 1, 1))
    rows = range(len(blocks))
    _draw_shapes(shape, blocks)
    macs.barh(rows, [block.macs / 1e6 for block in blocks], color=BLUE, height=0.66)
    sram.barh(rows, [block.sram_bytes / KIB for block in blocks], color=TEAL, height=0.66)
    sram.axvline(network.sram_bytes / KIB, color=RED, linewidth=1.2)
    macs.set_xlabel("million\nMACs", fontsize=SMALL)
    sram.set_xlabel("arena in\nuse, KiB", fontsize=SMALL)
    for axes in (macs, sram):
        tidy(axes, "x")
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.spines["left"].set_visible(False)
    return figure


def _draw_shapes(axes: Axes, blocks: Sequence[Block]) -> None:
    """Boxes as wide as their blocks have channels, the kernel in them, the rest beside."""
    from matplotlib.patches import FancyBboxPatch

    widest = max(block.channels for block in blocks)
    for row, block in enumerate(blocks):
        width = 0.14 + 0.14 * block.channels / widest
        axes.add_patch(
            FancyBboxPatch(
                (_BOX - width / 2, row - 0.36),
                width,
                0.72,
                boxstyle="round,pad=0,rounding_size=0.02",
                facecolor=_KERNELS.get(block.kernel, _OTHER),
                edgecolor="none",
                mutation_aspect=7,
            )
        )
        kernel = f"{block.kernel}×{block.kernel}"
        axes.text(_BOX, row, kernel, ha="center", va="center", fontsize=SMALL, color=PAPER, fontweight="bold")
        if block.residual:
            # a bow from the block's input to its output
            heights = [row + part for part in (-0.5, -0.38, 0.38, 0.5)]
            axes.plot([_BOW, _BOW + 0.02, _BOW + 0.02, _BOW], heights, color=MUTED, linewidth=1.2)
        axes.text(_WORDS, row, _words(block), va="center", fontsize=SMALL, color=INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(blocks) - 0.4, -0.6)
    axes.set_axis_off()


def _words(block: Block) -> str:
    """``6×6×24 e4 s2 SE``: output, expansion, stride, squeeze-and-excitation."""
    words = [
        "×".join(map(str, block.output_shape)),
        f"e{block.expand}" if block.expand else "",
        f"g{block.group_width}" if block.group_width else "",
        f"s{block.stride}" if block.stride != 1 else "",
        "SE" if block.squeeze else "",
    ]
    return " ".join(filter(None, words))


def draw_operators(rows: Sequence[OperatorRow]) -> Figure:
    """Cycles of every operator in order, those of a model as ticks; below, cycles a multiply-accumulate."""
    from matplotlib.ticker import FuncFormatter

    figure = new_figure(4.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    colours = [_KINDS.get(row.operator, _OTHER) for row in rows]
    above.bar([row.index for row in rows], [row.cycles for row in rows], color=colours, width=0.85)
    modelled = [(row.index, row.modelled) for row in rows if row.modelled is not None]
    for index, cycles in modelled:
        above.plot([index - 0.42, index + 0.42], [cycles, cycles], color=INK, linewidth=1.4)
    for row, colour in zip(rows, colours, strict=True):
        if row.cycles_per_mac is not None:
            below.plot([row.index], [row.cycles_per_mac], "o", color=colour, markersize=4)
    for axes in (above, below):
        tidy(axes, "y")
        for before, after in itertools.pairwise(rows):
            if before.block != after.block:
                axes.axvline(after.index - 0.5, color=GRID, linewidth=0.6, zorder=0)
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    above.set_ylabel("cycles")
    below.set_ylabel("per MAC")
    below.set_ylim(bottom=0)
    below.set_xlabel("operator; grey lines begin a block")
    _name_kinds(figure, rows, bool(modelled))
    return figure


def _name_kinds(figure: Figure, rows: Sequence[OperatorRow], with_model: bool) -> None:
    """The kinds there are, above everything: bars may be high anywhere."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    seen = {
        row.kind if row.operator in _KINDS else "others": _KINDS.get(row.operator, _OTHER) for row in rows
    }
    handles: list[Patch | Line2D] = [Patch(color=colour, label=name) for name, colour in seen.items()]
    if with_model:
        handles.append(Line2D([], [], color=INK, linewidth=1.4, label="by the model"))
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=3,
        frameon=False,
        fontsize=SMALL,
        handlelength=1.2,
        columnspacing=1.2,
    )
