"""The families of design spaces, by name."""

from __future__ import annotations

import difflib
from typing import Any

from tinynas.errors import RequestError
from tinynas.spaces.family import Family
from tinynas.spaces.mobile_family import MobileFamily
from tinynas.spaces.x_families import x_families

#: the family of a search unless another is asked for
MOBILE: Family[Any] = MobileFamily()
_FAMILIES: tuple[Family[Any], ...] = (MOBILE, *x_families())


def families() -> tuple[Family[Any], ...]:
    """Every family there is."""
    return _FAMILIES


def find_family(name: str) -> Family[Any]:
    """The family of that name.

    Raises:
        RequestError: there is none; the nearest is suggested.
    """
    known = {family.name: family for family in _FAMILIES}
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the families are {', '.join(known)}"
    raise RequestError(f"'{name}' is not a family of networks: {hint}")
