"""The pictures of one network: its blocks and what each takes, and the cycles of its operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinynas.report.run_page.sections import Block, Layers, Network
from tinynas.report.style import (
    BLUE,
    FAINT,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    TEAL,
    new_figure,
    tidy,
)
from tinynas.units import KIB, format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: by kernel size: what a look should tell apart first
_KERNELS: Mapping[int, str] = {1: FAINT, 3: BLUE, 5: GREEN, 7: ORANGE, 9: PURPLE}
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
_ROW = 0.27


def draw_blocks(network: Network) -> Figure:
    """One row a block, the first on top: what it is, its MACs, and how far it fills the arena."""
    blocks = network.blocks
    figure = new_figure(_ROW * len(blocks) + 1.1, 6.4)
    shape, macs, sram = figure.subplots(1, 3, sharey=True, width_ratios=(2.6, 1, 1))
    rows = range(len(blocks))
    _draw_shapes(shape, blocks)
    macs.barh(rows, [block.macs / 1e6 for block in blocks], color=BLUE, height=0.7)
    sram.barh(rows, [block.sram_bytes / KIB for block in blocks], color=TEAL, height=0.7)
    sram.axvline(network.sram_bytes / KIB, color=RED, linewidth=1.2)
    macs.set_xlabel("MACs, million", fontsize=9)
    sram.set_xlabel("arena in use, KiB", fontsize=9)
    for axes in (macs, sram):
        tidy(axes, "x")
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.tick_params(axis="x", labelsize=9)
        axes.spines["left"].set_visible(False)
    return figure


def _draw_shapes(axes: Axes, blocks: tuple[Block, ...]) -> None:
    """Boxes as wide as their blocks have channels, written on or beside."""
    from matplotlib.patches import FancyBboxPatch, Patch

    widest = max(block.channels for block in blocks)
    for row, block in enumerate(blocks):
        width = 0.06 + 0.34 * block.channels / widest
        colour = _KERNELS.get(block.kernel, _OTHER)
        axes.add_patch(
            FancyBboxPatch(
                (0.2 - width / 2, row - 0.3),
                width,
                0.6,
                boxstyle="round,pad=0,rounding_size=0.02",
                facecolor=colour,
                edgecolor="none",
                mutation_aspect=6,
            )
        )
        if block.residual:
            # a bow from the block's input to its output
            axes.plot(
                [0.42, 0.45, 0.45, 0.42],
                [row - 0.42, row - 0.3, row + 0.3, row + 0.42],
                color=MUTED,
                linewidth=1,
            )
        axes.text(0.49, row, _words(block), va="center", fontsize=8.5, color=INK)
    axes.set_xlim(-0.02, 1.25)
    axes.set_ylim(len(blocks) - 0.4, -0.6)
    axes.set_axis_off()
    kernels = sorted({block.kernel for block in blocks})
    handles = [Patch(color=_KERNELS.get(size, _OTHER), label=f"{size} × {size}") for size in kernels]
    axes.figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.2,
    )


def _words(block: Block) -> str:
    """``×4  c24  /2  28×28  SE``: expansion, channels, stride, output, squeeze-and-excitation."""
    _, *sides, channels = (1, *block.output_shape)
    words = [
        f"{sides[0]}×{sides[1]}×{channels}" if len(sides) == 2 else f"{channels}",
        f"e{block.expand}" if block.expand else "",
        f"g{block.group_width}" if block.group_width else "",
        f"stride {block.stride}" if block.stride != 1 else "",
        f"SE {block.squeeze:g}" if block.squeeze else "",
    ]
    return "  ".join(filter(None, words))


def draw_layers(network: Network, layers: Layers) -> Figure:
    """Cycles of every operator in order; below, cycles a multiply-accumulate."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter

    figure = new_figure(4.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    places = range(len(layers.cycles))
    colours = [_KINDS.get(kind, _OTHER) for kind in layers.operators]
    above.bar(places, layers.cycles, color=colours, width=0.85)
    macs = _macs(network, layers)
    busy = [(place, cycles / macs[place]) for place, cycles in enumerate(layers.cycles) if macs.get(place)]
    for place, rate in busy:
        below.plot([place], [rate], "o", color=colours[place], markersize=4)
    for axes in (above, below):
        tidy(axes, "y")
        for place in _borders(network, layers):
            axes.axvline(place - 0.5, color=GRID, linewidth=0.6, zorder=0)
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    above.set_ylabel("cycles")
    below.set_ylabel("cycles a MAC")
    below.set_ylim(bottom=0)
    below.set_xlabel("operator; grey lines begin a block")
    pairs = zip(layers.operators, colours, strict=True)
    seen = {kind if kind in _KINDS else "others": colour for kind, colour in pairs}
    handles = [Patch(color=colour, label=kind.lower()) for kind, colour in seen.items()]
    above.legend(handles=handles, fontsize=8, framealpha=0.9)
    return figure


def _macs(network: Network, layers: Layers) -> dict[int, int]:
    """MACs by operator, where the board ran the operators of the network."""
    if tuple(layer.operator for layer in network.layers) != layers.operators:
        return {}
    return {layer.index: layer.macs for layer in network.layers if layer.macs}


def _borders(network: Network, layers: Layers) -> list[int]:
    """Operators that begin another block."""
    if tuple(layer.operator for layer in network.layers) != layers.operators:
        return []
    pairs = zip(network.layers, network.layers[1:], strict=False)
    return [after.index for before, after in pairs if before.block != after.block]
