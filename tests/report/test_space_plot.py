"""The picture of stage 1: right curves, readable files, clear errors."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinynas.board import Budget
from tinynas.errors import RequestError, RunError
from tinynas.report.space_plot import draw_distribution, plot_distribution
from tinynas.spaces import SpaceReport, SpaceStats
from tinynas.spaces.statistics import QUANTILES


def stats(width: float, mean: float, share: float = 0.5) -> SpaceStats:
    quantiles = np.linspace(mean / 2, mean * 1.5, QUANTILES) if share else []
    return SpaceStats(
        name=f"w{width:g}-r144",
        resolution=144,
        share=share,
        share_sram=share,
        share_flash=1.0,
        mean_macs=mean if share else None,
        p80_macs=mean * 1.3 if share else None,
        smallest_sram_bytes=50_000,
        smallest_flash_bytes=200_000,
        smallest_macs=1_000_000,
        smallest_satisfies=True,
        macs_quantiles=tuple(int(q) for q in quantiles),
    )


def report(*spaces: SpaceStats, chosen: str = "w0.5-r144") -> SpaceReport:
    return SpaceReport(
        family="mobile",
        board="stm32f746",
        budget=Budget(320 * 1024, 1024 * 1024),
        runtime="tflm",
        native=96,
        in_channels=3,
        classes=100,
        samples=100,
        seed=0,
        min_share=0.05,
        spaces=spaces,
        chosen_name=chosen,
        note="",
        seconds=1.0,
    )


ORDINARY = [stats(width / 10, 1e7 * width) for width in range(2, 6)]
REPORT = report(*ORDINARY, stats(0.6, 9e7, 0.01), stats(0.7, 0, 0))


def test_curves_are_the_best_spaces_with_the_chosen_thickest() -> None:
    axes = draw_distribution(REPORT, top=3).axes[0]
    curves = {line.get_gid(): line for line in axes.lines if line.get_gid()}
    assert set(curves) == {"w0.5-r144", "w0.4-r144", "w0.3-r144"}
    assert curves["w0.5-r144"].get_linewidth() > curves["w0.4-r144"].get_linewidth()
    x, y = curves["w0.4-r144"].get_data()
    assert np.allclose(x, np.array(REPORT.spaces[2].macs_quantiles) / 1e6)
    assert (y[0], y[-1]) == (0, 1)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.split()[0] for label in labels] == ["w0.5-r144", "w0.4-r144", "w0.3-r144"]
    assert labels[0].split()[1:] == ["50.0M", "50%", "chosen"]
    assert any(text.get_text() == "(65.0M, 80 %)" for text in axes.texts)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("spread", [1.5, 1.02])
def test_words_beside_the_chosen_curve_stay_within_the_axes(spread: float, compact: bool) -> None:
    chosen = replace(ORDINARY[-1], macs_quantiles=(20_000_000, int(6.5e7 * spread)))
    figure = draw_distribution(report(*ORDINARY[:-1], chosen), compact=compact)
    figure.canvas.draw()
    (axes,) = figure.axes
    (words,) = (text for text in axes.texts if "80 %)" in text.get_text())
    assert axes.bbox.x0 <= words.get_window_extent().x0 and words.get_window_extent().x1 <= axes.bbox.x1
    label = axes.xaxis.label.get_window_extent()
    assert label.x0 >= 0 and label.x1 <= figure.bbox.x1


def test_a_space_the_guard_rules_out_comes_last() -> None:
    assert [stats.name[:4] for stats in REPORT.ranking] == ["w0.5", "w0.4", "w0.3", "w0.2", "w0.6"]


def test_png_and_svg_are_what_they_say(tmp_path: Path) -> None:
    png, svg, again = tmp_path / "a.png", tmp_path / "a.SVG", tmp_path / "b.svg"
    for path in (png, svg, again):
        plot_distribution(REPORT, path)
    with Image.open(png) as picture:
        assert picture.format == "PNG" and picture.width >= 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert svg.read_bytes() == again.read_bytes()


def test_no_satisfying_sample_is_drawn_as_such(tmp_path: Path) -> None:
    empty = report(stats(0.5, 0, 0))
    plot_distribution(empty, tmp_path / "empty.png")
    assert any("no sampled network" in text.get_text() for text in draw_distribution(empty).axes[0].texts)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"\.png or \.svg"):
        plot_distribution(REPORT, tmp_path / "a.pdf")


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        plot_distribution(REPORT, tmp_path / "absent" / "a.png")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here to play a full disk")
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    full = tmp_path / "full.png"
    full.symlink_to("/dev/full")
    with pytest.raises(RunError, match="No space left"):
        plot_distribution(REPORT, full)
