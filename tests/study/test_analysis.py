"""What a table says, against cases worked out by hand; and the figures drawn from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from study_fakes import fake_error, samples

from tinynas.board import load_board
from tinynas.cost.latency import latency_model
from tinynas.cost.runtime import find_runtime
from tinynas.errors import RequestError
from tinynas.networks import build_graph, parse_genotype
from tinynas.report.study_plot import FIGURES, plot_study
from tinynas.study.analysis import analyse
from tinynas.study.folder import Study
from tinynas.study.properties import PROPERTIES
from tinynas.study.record import Outcome, Record, Sampled
from tinynas.study.times import model_times

STEM = "r16x3 conv_k3_s2_c16_relu"


def _network(blocks: str, index: int = 0, space: str = "anynetx-a", macs: int = 1000) -> Sampled:
    return Sampled(space, index, f"{STEM} {blocks} fc_c10", {}, macs, 10, 2 * macs, 64, 200)


def _value(name: str, blocks: str) -> float | None:
    return PROPERTIES[name].of(_network(blocks))


def test_properties_by_hand() -> None:
    blocks = "x_k3_s2_c16_b1_g8 x_k3_s1_c16_b1_g8 x_k3_s2_c32_b2_g4 x_k3_s2_c128_b4_g16"
    assert _value("depth", blocks) == 4
    assert _value("width_ratio", blocks) == pytest.approx((2 * 4) ** 0.5)
    assert _value("bottleneck", blocks) == 2
    assert _value("group_width", blocks) == 9
    assert _value("resolution", blocks) == 16
    assert _value("width_ratio", "x_k3_s1_c16_b1_g8 x_k3_s1_c16_b1_g8") == 1
    assert _value("group_width", "ir_k3_s1_e3_c16") is None
    assert (_value("depth", ""), _value("width_ratio", "")) == (None, None)


def _study() -> Study:
    """Two spaces: errors fall with width in the first; the second has one network, and it diverged."""
    widths = (8, 16, 32, 64)
    first = [
        Record(
            _network(f"x_k3_s1_c{w}_b1_g8 x_k3_s1_c{2 * w}_b1_g8", k, macs=100 * w),
            Outcome(0.9 - w / 100, 2.0),
        )
        for k, w in enumerate(widths)
    ]
    other = Record(_network("ir_k3_s1_e3_c16", space="mobile"), Outcome(1.0, 1.0, diverged=True))
    records = (*first, other)
    request = {"data": "cifar10", "resolution": 16, "epochs": 1.0, "macs_band": None}
    return Study(Path("study"), request, tuple(r.network for r in records), records)


def test_findings_by_hand() -> None:
    first, other = analyse(_study())
    assert (first.space, other.space) == ("anynetx-a", "mobile")
    assert first.best.network.index == 3
    assert first.edf.median == pytest.approx((0.74 + 0.58) / 2)
    assert first.complexity == pytest.approx(1.0)
    assert set(first.properties) == {"macs", "activations"}  # all else is equal in every network
    assert first.properties["macs"].low >= 800
    assert set(first.fits) == {0, 1, 2, 3}
    assert (other.diverged, other.edf.median, other.fits, other.properties) == (1, 1.0, {}, {})
    assert other.fit_correlation is None
    plain = first.to_dict()
    assert plain["edf_errors"] == sorted(plain["edf_errors"])
    # with replacement: four draws of four networks hit the best with chance 1 - (3/4)^4
    worse = [0.82, 0.74, 0.58]
    expected = (1 - 0.75**4) * 0.26 + (0.75**4 - 0.5**4) * worse[2] + (0.5**4 - 0.25**4) * worse[1]
    assert plain["best_of_mean"][3] == pytest.approx(expected + 0.25**4 * worse[0], abs=1e-6)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_every_figure_is_drawn_alike_twice(tmp_path: Path, figure: str, suffix: str) -> None:
    paths = [tmp_path / f"{k}.{suffix}" for k in (1, 2)]
    for path in paths:
        plot_study(_study(), path, figure)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size > 1000


def test_the_edf_plot_has_a_step_a_network_and_says_n() -> None:
    study = _study()
    figure = FIGURES["edf"](study, analyse(study))
    lines = [line for line in figure.axes[0].get_lines() if "n =" in str(line.get_label())]
    assert [str(line.get_label()).split(",")[0] for line in lines] == ["anynetx-a  n = 4", "mobile  n = 1"]
    assert lines[0].get_xdata().tolist() == pytest.approx([26, 26, 58, 74, 82])
    assert lines[0].get_ydata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert "800 to 6.4k MACs" in figure.axes[0].get_title(loc="left")


def test_times_are_those_of_the_model_on_the_studys_board() -> None:
    study = _study()
    assert model_times(study) is None  # it names no board
    study = replace(study, request={**study.request, "board": "stm32f746", "runtime": "engine"})
    times = model_times(study)
    assert times is not None
    model = latency_model(load_board("stm32f746"), find_runtime("engine"))
    assert model is not None and model.label in times.label
    last = study.records[-1].network
    assert times.milliseconds[last.key] == model.milliseconds(build_graph(parse_genotype(last.genotype)))
    first, other = analyse(study, times)
    assert first.latency is not None and first.latency > 0.9  # wider and wider
    assert other.latency is None
    panel = FIGURES["complexity"](study, [first, other]).axes[2]
    assert panel.get_ylabel() == "time, ms"
    assert model.label in panel.get_title(loc="left").replace("\n", " ")


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    networks = tuple(network for each in samples().values() for network in each)
    empty = Study(Path("study"), {}, networks, ())
    with pytest.raises(RequestError, match="no network of 'study' is trained yet"):
        analyse(empty)
    with pytest.raises(RequestError, match="not a figure of a study"):
        plot_study(_study(), tmp_path / "a.png", "histogram")
    assert fake_error(networks[0].genotype) <= 1
