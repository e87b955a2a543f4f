"""The families of design spaces, by name."""

from __future__ import annotations

import difflib
from typing import Any

from tinynas.errors import RequestError
from tinynas.spaces.family import DesignSpace, Family
from tinynas.spaces.mobile_family import MobileFamily
from tinynas.spaces.pictures import Pictures
from tinynas.spaces.x_families import x_families

#: the family of a search unless another is asked for
MOBILE: Family[Any] = MobileFamily()
_FAMILIES: tuple[Family[Any], ...] = (MOBILE, *x_families())


def families() -> tuple[Family[Any], ...]:
    """Every family there is."""
    return _FAMILIES


def find_space(name: str, pictures: Pictures, resolution: int) -> DesignSpace[Any]:
    """The space ``FAMILY``, all of a family at `resolution`, or ``FAMILY:SPACE``, one of its grid there.

    Names on the grid are those that `tinynas space` lists, without the resolution: ``mobile:w0.3``.

    Raises:
        RequestError: there is no such family or space.
    """
    family, _, part = name.partition(":")
    found = find_family(family)
    space: DesignSpace[Any]
    if not part:
        space = found.whole(pictures, resolution)
        return space
    grid = {each.name: each for each in found.spaces(pictures)}
    wanted = f"{part.lower()}-r{resolution}"
    if wanted not in grid:
        near = difflib.get_close_matches(wanted, grid, n=1)
        hint = f"the nearest is {near[0]}" if near else f"there are {', '.join(list(grid)[:5])}, ..."
        raise RequestError(f"{found.name} has no space {wanted} for these pictures: {hint}")
    space = grid[wanted]
    return space


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
