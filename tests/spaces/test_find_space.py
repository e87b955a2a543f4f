"""Spaces by the names that a study takes: a family at one resolution, or one of its grid."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.errors import RequestError
from tinynas.spaces import Pictures, families
from tinynas.spaces.families import find_space

PICTURES = Pictures(32, 3, 10)


@pytest.mark.parametrize("name", [family.name for family in families() if family.name != "mobile"])
def test_a_family_is_one_space_at_any_resolution(name: str) -> None:
    space = find_space(name.upper(), PICTURES, 23)
    genotype = space.genotype(space.sample(np.random.default_rng(0)))
    assert (genotype.resolution, genotype.in_channels, genotype.classes) == (23, 3, 10)


def test_a_space_of_the_grid_is_found_by_its_name() -> None:
    assert find_space("mobile:w0.3", PICTURES, 24).name == "w0.3-r24"
    assert find_space("regnetx:w8-16-a8-16", PICTURES, 24).name == "w8-16-a8-16-r24"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("regnet", "'regnet' is not a family of networks: did you mean regnet"),
        ("mobile", "a space for each width multiplier: name one, such as mobile:w0.3"),
        ("mobile:w0.35", r"no space w0.35-r24 for these pictures: the nearest is w0"),
    ],
)
def test_a_wrong_name_is_answered(name: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        find_space(name, PICTURES, 24)
