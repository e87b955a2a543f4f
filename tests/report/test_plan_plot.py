"""The picture of a plan: every row is drawn, within the arena; files are whole and reproducible."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.collections import PolyCollection

from tinynas.engine.planner import plan_network
from tinynas.engine.timeline import timeline
from tinynas.errors import RequestError
from tinynas.networks import PRESETS, build_graph
from tinynas.report.plan_plot import draw_plan, plot_plan


def test_every_row_is_drawn_inside_the_arena() -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in0"]))
    above, below = draw_plan(plan).axes
    (rows,) = [each for each in above.collections if isinstance(each, PolyCollection)]
    paths = rows.get_paths()
    assert len(paths) == len(timeline(plan).lives)
    assert max(path.vertices[:, 1].max() for path in paths) == pytest.approx(plan.arena / 1024)
    assert below.get_xlabel().startswith("million multiply-accumulates")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_plan_gives_the_same_file(tmp_path: Path, suffix: str) -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in0"]))
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    plot_plan(plan, first)
    plot_plan(plan, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5000


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in0"]))
    with pytest.raises(RequestError, match=r"end it in \.png or \.svg"):
        plot_plan(plan, tmp_path / "plan.jpg")
