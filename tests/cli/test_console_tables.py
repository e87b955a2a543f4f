"""Tables on a terminal of any width: words at their end fold, and no figure is cut."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tinynas.cli.console import make_table, print_table

FIGURES = st.lists(st.integers(0, 10**12), min_size=4, max_size=4)


@given(width=st.integers(10, 160), rows=st.lists(FIGURES, min_size=1, max_size=5))
def test_every_figure_is_whole_and_words_fold_within_the_terminal(width: int, rows: list[list[int]]) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    table = make_table(("operator",), ("MACs", "SRAM", "flash", "time"), ("found",))
    for row in rows:
        table.add_row("depthwise conv", *(f"{each:,} B" for each in row), "generation 2, mutation of it")
    print_table(console, table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    shown = [line for line in lines if "depthwise conv" in line]
    assert [[f"{each:,} B" in line for each in row] for row, line in zip(rows, shown, strict=True)] == [
        [True] * 4 for _ in rows
    ]
    # the longest word of what folds, and two blanks between columns
    figures = [max(len(f"{each:,} B") for each in column) for column in zip(*rows, strict=True)]
    least = len("depthwise conv") + sum(max(5, each) for each in figures) + 10 + 5 * 3
    assert max(map(len, lines)) <= max(width, least)
    assert "mutation" in " ".join(lines)
