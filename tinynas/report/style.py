"""What all pictures look like: few colours, a quiet grid, no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER = "#000000", "#ffffff"
GRID, EDGE, MUTED, FAINT = "#e5e7eb", "#d1d5db", "#6b7280", "#9ca3af"
BLUE, RED, GREEN, ORANGE = "#1b4f8f", "#c8102e", "#3d9140", "#e0902f"
PURPLE, TEAL, BROWN = "#7d5ba6", "#20a4a4", "#a0522d"
#: distinct in hue and in lightness, so that grey prints can be told apart too
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, TEAL, MUTED, BROWN)
#: a little less than a phone shows, in inches: text is there as large as in other places, or larger
WIDTH = 4.0
#: of text smaller than a figure's own of 10 points: 10 pixels high on a screen of 360 with a scroll bar
SMALL = 9.5


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def tidy(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """A quiet grid along the axes named, behind everything, and no frame above and to the right."""
    axes.grid(color=GRID, linewidth=0.8, axis=grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def title(axes: Axes, text: str) -> None:
    """A bold title above the left end."""
    axes.set_title(text, loc="left", fontsize=11, fontweight="bold")
