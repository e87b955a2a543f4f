"""The picture of a comparison: a line and a band for each strategy, in files that are reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from tinynas.errors import RequestError
from tinynas.report.compare_plot import draw_comparison, plot_comparison
from tinynas.search.curves import Curve, standings

RNG = np.random.default_rng(0)
FOUND = standings(
    [
        Curve(name, seed, 30, tuple(RNG.random(30) * 0.5 + 0.1 * place), "r8x1 fc_c2")
        for place, name in enumerate(("random", "grid", "controller"))
        for seed in range(5)
    ]
)


def test_medians_are_lines_and_quartiles_bands() -> None:
    (axes,) = draw_comparison(FOUND, "toy").axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 30]
    best_first = sorted(FOUND, key=lambda standing: -standing.mean)
    for line, standing in zip(lines, best_first, strict=True):
        assert np.allclose(line.get_ydata(), 100 * standing.median)
        assert line.get_label().startswith(standing.strategy)
    bands = [each for each in axes.collections if isinstance(each, PolyCollection)]
    assert len(bands) == len(FOUND)
    heights = bands[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(100 * best_first[0].high.max())
    assert "median of 5 seeds" in axes.get_ylabel() and "quartiles" in axes.get_ylabel()


def test_rewards_are_drawn_as_they_are() -> None:
    (axes,) = draw_comparison(FOUND, "toy", "mnasnet-soft").axes
    best = max(FOUND, key=lambda standing: standing.mean)
    assert np.allclose(axes.lines[0].get_ydata(), best.median)
    assert axes.get_ylabel().startswith("best mnasnet-soft reward so far\n")
    assert f"{best.mean:.4f}" in str(axes.lines[0].get_label())


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_comparison_gives_the_same_file(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        plot_comparison(FOUND, file, "toy")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no search of the comparison is done"):
        plot_comparison([], tmp_path / "a.png", "toy")
