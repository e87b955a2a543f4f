"""Design spaces: what can be searched, and the choice among spaces by the FLOPs distribution."""

from tinynas.spaces.distribution import SpaceReport, SpaceStats
from tinynas.spaces.mobile import (
    Choice,
    MobileSpace,
    elastic_resolutions,
    is_small,
    make_space,
    resolution_grid,
    width_grid,
)
from tinynas.spaces.optimiser import optimise_space

__all__ = [
    "Choice",
    "MobileSpace",
    "SpaceReport",
    "SpaceStats",
    "elastic_resolutions",
    "is_small",
    "make_space",
    "optimise_space",
    "resolution_grid",
    "width_grid",
]
