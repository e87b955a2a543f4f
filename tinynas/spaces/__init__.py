"""Design spaces: what can be searched, and the choice among spaces by the FLOPs distribution."""

from tinynas.spaces.families import families, find_family
from tinynas.spaces.family import DesignSpace, Family, Scoring
from tinynas.spaces.mobile import Choice, MobileSpace, elastic_resolutions, make_space, width_grid
from tinynas.spaces.optimiser import optimise_space
from tinynas.spaces.pictures import Pictures, is_small, resolution_grid
from tinynas.spaces.report import SpaceReport
from tinynas.spaces.statistics import SpaceStats

__all__ = [
    "Choice",
    "DesignSpace",
    "Family",
    "MobileSpace",
    "Pictures",
    "Scoring",
    "SpaceReport",
    "SpaceStats",
    "elastic_resolutions",
    "families",
    "find_family",
    "is_small",
    "make_space",
    "optimise_space",
    "resolution_grid",
    "width_grid",
]
