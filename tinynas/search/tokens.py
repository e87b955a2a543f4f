"""Networks of any space as sequences of tokens, for models that predict one of a few at a time.

A free number of the genes (`tinynas.spaces.genes`) has a token for each value it can take, or for values at
evenly spaced places where there are more. So a space that is finer than that is seen on a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.search.space_protocol import ChoiceT, Space

#: tokens of a number at most
LEVELS = 16

#: one token for each number
Tokens: TypeAlias = tuple[int, ...]


class Alphabet(Generic[ChoiceT]):
    """The tokens of a space: `sizes[i]` of them for its i-th number."""

    def __init__(self, space: Space[ChoiceT], levels: int = LEVELS) -> None:
        self._space = space
        numbers = [number for gene in space.genes.values() for number in gene.numbers]
        self._places: list[NDArray[np.float64]] = [
            np.array([number.place(value) for value in number.levels(levels)]) for number in numbers
        ]
        self.sizes = tuple(map(len, self._places))

    def tokens(self, choice: ChoiceT) -> Tokens:
        """The sequence nearest to `choice`."""
        codes = self._space.encode(choice)
        return tuple(
            int(np.abs(places - code).argmin()) for places, code in zip(self._places, codes, strict=True)
        )

    def choice(self, tokens: Sequence[int]) -> ChoiceT:
        """What `tokens` mean; it may break a bound of the space."""
        return self._space.decode(
            [float(places[token]) for places, token in zip(self._places, tokens, strict=True)]
        )
