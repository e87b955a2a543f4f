"""Sizes read and written: what a datasheet says is what the program understands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RequestError
from tinynas.units import (
    KIB,
    MIB,
    format_count,
    format_milliseconds,
    format_size,
    parse_count,
    parse_milliseconds,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("320k", 327_680),
        ("320K", 327_680),
        ("320kB", 327_680),
        ("320 KiB", 327_680),
        ("1m", 1_048_576),
        ("1MB", 1_048_576),
        ("0.5MiB", 524_288),
        ("1.5k", 1536),
        ("65536", 65_536),
        ("65536 bytes", 65_536),
        ("1 byte", 1),
        ("  64b  ", 64),
    ],
)
def test_parse_size_reads_what_datasheets_write(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", " ", "k", "320x", "320kk", "-1k", "+1k", "1e3", "1,024", "0x100", "1..5k", "nan", "1 0k"]
)
def test_parse_size_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(RequestError, match="is not a size") as caught:
        parse_size(text)
    assert "320k" in str(caught.value)  # says how to write it


@pytest.mark.parametrize("text", ["0", "0k", "0.0m", "0.5", "1.3b", "0.0001k"])
def test_parse_size_refuses_nothing_and_parts_of_bytes(text: str) -> None:
    with pytest.raises(RequestError, match="whole, positive"):
        parse_size(text)


@given(st.integers(1, 2**40))
def test_plain_numbers_are_bytes(size: int) -> None:
    assert parse_size(str(size)) == parse_size(f"{size}B") == size


@given(st.integers(1, 10**6), st.sampled_from([("k", KIB), ("KB", KIB), ("kib", KIB), ("m", MIB)]))
def test_units_are_binary(count: int, unit: tuple[str, int]) -> None:
    name, factor = unit
    assert parse_size(f"{count}{name}") == count * factor
    assert parse_size(f" {count} {name.upper()} ") == count * factor


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_request_error(text: str) -> None:
    try:
        assert parse_size(text) > 0
    except RequestError as error:
        assert str(error)


@given(st.integers(0, 2**40))
def test_format_size_states_the_exact_bytes(size: int) -> None:
    shown = format_size(size)
    exact = shown.split("(")[-1].removesuffix(")") if "(" in shown else shown
    assert int(exact.removesuffix(" B").replace(",", "")) == size


@given(st.integers(1, 1023), st.sampled_from([("KiB", KIB), ("MiB", MIB)]))
def test_a_formatted_size_reads_back(count: int, unit: tuple[str, int]) -> None:
    name, factor = unit
    size = count * factor
    shown = format_size(size)
    assert shown == f"{count} {name} ({size:,} B)"
    assert parse_size(shown.split(" (")[0]) == size


def test_format_size_below_a_kibibyte_has_no_other_unit() -> None:
    assert format_size(0) == "0 B"
    assert format_size(1023) == "1,023 B"
    assert format_size(1024) == "1 KiB (1,024 B)"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (52_000_000, "52M"),
        (738_504, "739k"),
        (1_234, "1.23k"),
        (2.5e9, "2.5G"),
    ],
)
def test_format_count(count: float, text: str) -> None:
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("text", "count"), [("2000000", 2_000_000), ("1.5m", 1_500_000), ("500K", 500_000), ("0.2g", 200_000_000)]
)
def test_counts_are_decimal(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "m", "-1k", "1.5", "0", "3 boards", "1e6"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"write 1\.5m, 500k"):
        parse_count(text)


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("100ms", 100), ("0.1s", 100), ("800us", 0.8), ("12.5", 12.5), (" 3 MS ", 3)]
)
def test_times_are_milliseconds_unless_they_say_otherwise(text: str, milliseconds: float) -> None:
    assert parse_milliseconds(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize(("text", "milliseconds"), [("10", 100), ("12.5fps", 80), ("25 Hz", 40)])
def test_a_rate_is_the_time_each_inference_has(text: str, milliseconds: float) -> None:
    assert parse_rate(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize("text", ["", "ms", "100m", "-1ms", "1e3", "0", "0s", "nan", "99999999999999"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestError, match="100ms"):
        parse_milliseconds(text)
    with pytest.raises(RequestError, match="10"):
        parse_rate(text)


@given(st.floats(1e-3, 1e6))
def test_a_formatted_time_reads_back(milliseconds: float) -> None:
    shown = format_milliseconds(milliseconds).replace(",", "")
    if "e" not in shown:
        assert parse_milliseconds(shown) == pytest.approx(milliseconds, rel=1e-3)
