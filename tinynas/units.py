"""Sizes in bytes as people write them on datasheets, and times of an inference; read and written.

``k``/``m`` are binary (320k = 320 KiB = 327,680 bytes) like every microcontroller datasheet;
a plain number is bytes, of a time milliseconds.
"""

from __future__ import annotations

import re

from tinynas.errors import RequestError

KIB = 1024
MIB = 1024 * KIB

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|bytes?|k|kb|kib|m|mb|mib)?", re.IGNORECASE)
_FACTOR = {"b": 1, "k": KIB, "m": MIB}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)?", re.IGNORECASE)
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:fps|hz)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """The number of bytes meant by ``320k``, ``1m``, ``0.5MB`` or ``65536``.

    Raises:
        RequestError: the text is not a size, or is not a whole positive number of bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"'{text}' is not a size: write 320k, 1m, or a number of bytes such as 327680")
    number, unit = match.groups()
    value = float(number) * _FACTOR[(unit or "b")[0].lower()]
    if value != int(value) or value <= 0:
        raise RequestError(f"'{text}' is not a whole, positive number of bytes: write 320k, 1m or 327680")
    return int(value)


def format_size(size: int) -> str:
    """``320 KiB (327,680 B)``: the datasheet's unit with the exact bytes beside it."""
    if size >= MIB:
        return f"{size / MIB:.4g} MiB ({size:,} B)"
    if size >= KIB:
        return f"{size / KIB:.4g} KiB ({size:,} B)"
    return f"{size:,} B"


def parse_milliseconds(text: str) -> float:
    """The milliseconds meant by ``100ms``, ``0.1s``, ``800us`` or ``100``.

    Raises:
        RequestError: the text is not a time, or not a positive one.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"'{text}' is not a time: write 100ms, 0.1s, 800us, or a number of milliseconds")
    return _positive(text, float(match[1]) * _MILLISECONDS[(match[2] or "ms").lower()], "100ms")


def parse_rate(text: str) -> float:
    """The milliseconds that one of ``10`` (or ``10fps``, ``10Hz``) inferences a second may take.

    Raises:
        RequestError: the text is not a rate, or not a positive one.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"'{text}' is not a rate: write 10, 12.5 or 10fps")
    return 1e3 / _positive(text, float(match[1]), "10")


def _positive(text: str, value: float, example: str) -> float:
    if not 1e-6 <= value <= 1e9:
        raise RequestError(f"'{text}' is out of any range that makes sense: write for instance {example}")
    return value


def format_milliseconds(milliseconds: float) -> str:
    """``30 ms``, ``12.35 ms``, ``1,234 ms``: as many digits as a clock's reading has a use for."""
    if milliseconds >= 1000:
        return f"{milliseconds:,.0f} ms"
    return f"{milliseconds:.4g} ms"


def format_seconds(seconds: float) -> str:
    """``8.2 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def parse_count(text: str) -> int:
    """The number meant by ``1.5m``, ``500k`` or ``2000000``: of MACs or parameters, so ``k`` is a thousand.

    Raises:
        RequestError: the text is not a count, or not a whole positive number.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)", text.strip(), re.IGNORECASE)
    if match is None:
        raise RequestError(f"'{text}' is not a count: write 1.5m, 500k, or a number such as 2000000")
    value = round(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match[2].lower()], 6)
    if value != int(value) or value <= 0:
        raise RequestError(f"'{text}' is not a whole, positive number: write 1.5m, 500k or 2000000")
    return int(value)


def format_count(count: float) -> str:
    """``52.0M``: MACs or parameters for a table or a plot's label."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            scaled = count / factor
            return f"{scaled:.3g}{letter}" if scaled < 100 else f"{scaled:.0f}{letter}"
    return f"{count:.0f}"
