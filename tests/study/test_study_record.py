"""A network of a study survives its line of JSON; what is no such line is refused with the reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.study.record import Outcome, Record, Sampled, parse_record, record_line

NETWORK = Sampled("regnetx", 3, "r8x1 fc_c2", {"depth": 4, "slope": 8.125}, 128, 130, 0, 64, 200)


@given(st.floats(0, 1), st.floats(0, 1e6), st.booleans())
def test_a_record_survives_its_line(error: float, seconds: float, diverged: bool) -> None:
    record = Record(NETWORK, Outcome(error, seconds, diverged))
    assert parse_record(record_line(record)) == record


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"error": 1.5}, "within 0 and 1"),
        ({"error": "bad"}, "'error' is of the wrong kind"),
        ({"diverged": 1}, "'diverged'"),
        ({"macs": True}, "'macs' is of the wrong kind"),
        ({"parameters": []}, "'parameters' is of the wrong kind"),
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, object], complaint: str) -> None:
    line = json.loads(record_line(Record(NETWORK, Outcome(0.5, 1.0)))) | change
    with pytest.raises(ValueError, match=complaint):
        parse_record(json.dumps(line))
    with pytest.raises(ValueError, match="not an object"):
        parse_record("[1]")
