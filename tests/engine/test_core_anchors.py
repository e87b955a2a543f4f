"""Ratios to what others measured: their means, the flash's cost, and what files of counts are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from core_anchors import (
    ANCHORS,
    Anchor,
    Band,
    CountsError,
    bands,
    fit_flash,
    ratios,
    read_counts,
    recorded_counts,
)

CORE = "cortex-m0plus"


def _counts(**changed: object) -> dict[str, object]:
    all_one = {board: {each.name: {CORE: 1} for each in anchors} for board, anchors in ANCHORS.items()}
    return {**all_one, **changed}


def test_no_two_anchors_of_a_board_have_the_same_name() -> None:
    for anchors in ANCHORS.values():
        assert len({each.name for each in anchors}) == len(anchors)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9), st.floats(0.5, 2))
def test_a_band_holds_its_ratios_and_grows_with_them(values: list[float], factor: float) -> None:
    band = Band.of(values)
    assert band.mean * (1 + band.below) == pytest.approx(min(values))
    assert band.mean * (1 + band.above) == pytest.approx(max(values))
    assert Band.of([factor * each for each in values]).mean == pytest.approx(factor * band.mean)


def test_ratios_are_of_the_anchors_counted_on_the_core() -> None:
    anchors = [Anchor("a", "x", 300, ""), Anchor("b", "x", 800, ""), Anchor("c", "y", 5, "")]
    counts = {"a": {"one": 100, "two": 50}, "b": {"one": 400}, "c": {"two": 1}}
    assert ratios(anchors, counts, "one") == {"a": 3, "b": 2}
    found = bands(anchors, counts)
    assert found["one"]["x"].mean == pytest.approx(6**0.5)
    assert {kind: band.mean for kind, band in found["two"].items()} == pytest.approx({"x": 6, "y": 5})
    assert list(found["one"]) == ["x"]


@given(st.floats(0, 500), st.floats(0, 50_000), st.integers(1000, 10_000_000))
def test_the_fit_finds_what_a_line_and_a_layer_cost(line: float, layer: float, modelled: int) -> None:
    sizes = (8, 800, 4096, 65536)
    anchors = [Anchor(str(n), "pw", modelled + line * n / 8 + layer, "", n) for n in sizes]
    anchors.append(Anchor("elsewhere", "dw", 1, ""))
    counts = {each.name: {CORE: modelled} for each in anchors}
    fit = fit_flash(anchors, counts, CORE)
    assert fit.worst < 1e-6
    assert fit.line == pytest.approx(line, abs=0.01)
    assert fit.layer == pytest.approx(layer, abs=1)


def test_counts_are_read_for_every_anchor_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    file.write_text(json.dumps({**_counts(), "made": "by hand", "another": {}}))
    found = read_counts(file)
    assert found.made == "by hand"
    assert {board: list(counts) for board, counts in found.boards.items()} == {
        board: [each.name for each in anchors] for board, anchors in ANCHORS.items()
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(None, "cannot be read", id="no file"),
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param("[]", "no counts of esp32s3's conv1x1_64", id="a list"),
        pytest.param(json.dumps(_counts(rp2040=[1])), "no counts of rp2040's dw 96x96x1", id="a list in it"),
        pytest.param(json.dumps(_counts(rp2040={})), "no counts of rp2040's dw 96x96x1", id="a board lacks"),
        pytest.param(
            json.dumps(_counts(rp2040={**_counts()["rp2040"], "coremark": {CORE: 0}})),  # type: ignore[dict-item]
            "no counts of rp2040's coremark:",
            id="no count is 0",
        ),
        pytest.param(
            json.dumps(_counts(rp2040={**_counts()["rp2040"], "coremark": {CORE: "9"}})),  # type: ignore[dict-item]
            "no counts of rp2040's coremark:",
            id="a text",
        ),
    ],
)
def test_a_file_that_is_not_one_of_counts_is_refused_in_a_sentence(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "counts.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CountsError, match=complaint):
        read_counts(file)


def test_what_is_told_of_the_counted_boards_follows_from_the_recorded_counts() -> None:
    """README, and the factors of benchmarks/cores/counted.py."""
    boards = recorded_counts().boards
    products = bands(ANCHORS["esp32s3"], boards["esp32s3"])["rv32imc"]["products"]
    assert (products.mean, products.below, products.above) == pytest.approx((1.29, -0.13, 0.09), abs=0.005)
    assert fit_flash(ANCHORS["rp2040"], boards["rp2040"], CORE).worst < 0.04
