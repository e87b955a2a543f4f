"""Arithmetic of single numbers and of arrays alike: formulas that are written once serve one thing or many.

What is typed as a number here may be an array of them, one for each of many things. Whole numbers and doubles
come out the same either way, to the last bit.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

Number = TypeVar("Number", int, float)


def larger(left: Number, right: Number) -> Number:
    """The larger of both."""
    return _either(np.maximum, max, left, right)  # type: ignore[no-any-return]


def smaller(left: Number, right: Number) -> Number:
    """The smaller of both."""
    return _either(np.minimum, min, left, right)  # type: ignore[no-any-return]


def where(condition: bool, yes: Number, no: Number) -> Number:
    """`yes` where `condition` holds, else `no`; both are worked out."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def _either(of_many: Any, of_one: Any, left: Any, right: Any) -> Any:
    many = isinstance(left, np.ndarray) or isinstance(right, np.ndarray)
    return (of_many if many else of_one)(left, right)
