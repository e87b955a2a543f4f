"""Sizes in bytes as people write them on datasheets, and back.

``k``/``m`` are binary (320k = 320 KiB = 327,680 bytes) like every microcontroller datasheet;
a plain number is bytes.
"""

from __future__ import annotations

import re

from tinynas.errors import RequestError

KIB = 1024
MIB = 1024 * KIB

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|bytes?|k|kb|kib|m|mb|mib)?", re.IGNORECASE)
_FACTOR = {"b": 1, "k": KIB, "m": MIB}


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
