"""How a time is known is said beside it: by a model, corrected, or taken from a board that ran it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from small_search import REQUEST

from tinynas.pipeline.session import Session
from tinynas.search import Correction, Timing

RAN = Timing(0, "that", modelled_ms=8.0, corrected_ms=8.0, measured_ms=10.0)


def session(measure_on: str, *timings: Timing) -> Session:
    """A search of which only the times are asked."""
    unused: Any = None
    request = replace(REQUEST, measure_every=1, measure_on=measure_on)
    return Session(request, unused, unused, unused, correction=Correction.of(timings))


@pytest.mark.parametrize(
    ("measure_on", "begins"), [("port", "measured; "), ("virtual", "modelled, +-15 %; ")]
)
def test_a_network_that_a_board_ran_has_its_word(measure_on: str, begins: str) -> None:
    label = session(measure_on, RAN).told_times("that")
    assert label is not None and label.startswith(begins) and label.endswith("ran there during the search")


def test_other_times_are_modelled_and_corrected() -> None:
    model = REQUEST.latency
    assert model is not None
    assert session("port").told_times("that") == model.label
    corrected = session("port", RAN).told_times("other")
    assert corrected == f"{model.label}; corrected by what the board took during the search"


def test_nobody_tells_times_of_another_runtime() -> None:
    unused: Any = None
    assert Session(replace(REQUEST, runtime="tflm"), unused, unused, unused).told_times("that") is None
