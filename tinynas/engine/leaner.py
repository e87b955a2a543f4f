"""Kernels of smaller constants where flash is short: of those that save least for the bytes they take."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tinynas.engine.alike import Remembered, alike_operators, has_values
from tinynas.engine.choosing import Choices
from tinynas.engine.kernels import Form, Kernel, Spends
from tinynas.engine.packing import pack
from tinynas.engine.parameters import PaddingPixel, Parameters, members, struct_bytes
from tinynas.engine.rows import map_shape
from tinynas.engine.tables import structure_bytes
from tinynas.graph import Graph
from tinynas.graph.outline import Likeness

_WORD = 4


@dataclass(frozen=True, slots=True)
class Step:
    """Operator `index` by a kernel of smaller constants.

    That is without all `functions` with larger ones: `freed` bytes of flash for a `cost` by the aim's price.
    """

    index: int
    functions: frozenset[str]
    freed: int
    cost: float

    @property
    def price(self) -> float:
        """Of a byte."""
        return self.cost / self.freed


@dataclass(frozen=True)
class Constants:
    """Bytes of flash that constants of kernels for a graph take, each packed once.

    Without values only shapes count: operators alike, which have typical values, are packed once for all.
    """

    choices: Choices
    _known: dict[Hashable, int] = field(default_factory=dict, init=False)

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.choices.graph

    def bytes_of(self, kernels: Sequence[Kernel]) -> int:
        """Of a kernel for every operator, with all around them: no plan of theirs takes more."""
        return self._around + sum(self._bytes(index, kernel) for index, kernel in enumerate(kernels))

    @cached_property
    def bytes_of_ends(self) -> int:
        """Of these, what belongs to the network and to its inputs, and to no operator."""
        return structure_bytes(replace(self.graph, operators=(), outputs=self.graph.outputs[:1]), steps=0)

    @cached_property
    def _around(self) -> int:
        """Maps and operators, and a step for each row that any operator makes or takes in."""
        graph = self.graph
        rows = sum(
            max(
                map_shape(graph.tensors[i]).rows for i in (*graph.activations_in(operator), *operator.outputs)
            )
            for operator in graph.operators
        )
        return structure_bytes(graph, steps=rows)

    def leaner(self, kernels: Sequence[Kernel], most: int) -> dict[int, frozenset[str]]:
        """What operators are to do without for the constants of all to come down to `most` bytes, or nearer.

        Of `kernels`, one for every operator, those go first that save the least for a byte.
        Nothing where the constants fit, or where no kernel has smaller ones.
        """
        excess = self.bytes_of(kernels) - most
        if excess <= 0:
            return {}
        chosen = {}
        for step in self.steps(kernels):
            if excess <= 0:
                break
            chosen[step.index] = step.functions
            excess -= step.freed
        return chosen

    def steps(self, kernels: Sequence[Kernel]) -> list[Step]:
        """From each of `kernels`, one for every operator, to one of smaller constants; the cheapest first."""
        found = filter(None, (self._step(index, kernel) for index, kernel in enumerate(kernels)))
        return sorted(found, key=lambda step: step.price)

    def _step(self, index: int, kernel: Kernel) -> Step | None:
        """The cheapest for each byte; None where no kernel has smaller constants."""
        able = self.choices.able[index]
        if len(able) < 2 or not kernel.spends:
            return None
        now = self._bytes(index, kernel)
        price = next(cost for each, cost in able if each is kernel)
        steps = [
            Step(
                index,
                frozenset(each.function for each, _ in able if self._is_larger(index, each, other)),
                now - self._bytes(index, other),
                cost - price,
            )
            for other, cost in able
            if _in_rows(other) and self._bytes(index, other) < now
        ]
        # one that leaves the kernel in place would lead nowhere
        able_steps = [step for step in steps if kernel.function in step.functions]
        return min(able_steps, key=lambda step: step.price, default=None)

    def _is_larger(self, index: int, kernel: Kernel, other: Kernel) -> bool:
        """Whether the constants of `kernel`, which spends something, are larger than those of `other`.

        Those of planes can be packed only where planes are; they have the weights of one that takes rows.
        """
        if _in_rows(kernel) or not other.spends:
            return bool(kernel.spends) and (
                not other.spends or self._bytes(index, kernel) > self._bytes(index, other)
            )
        return bool(kernel.spends & ~other.spends & Spends.FLASH)

    def _bytes(self, index: int, kernel: Kernel) -> int:
        known: dict[Hashable, int] = _known if self._alike else self._known
        key = (self._alike[index] if self._alike else index, kernel.function)
        if key not in known:
            known[key] = _bytes_of(pack(self.choices.filled(index), index, kernel.function))
        return known[key]

    @cached_property
    def _alike(self) -> list[Likeness]:
        return [] if has_values(self.graph) else alike_operators(self.graph)


#: bytes that constants of an operator and a kernel take, by the operator's number and the kernel's function
_known: Remembered[int] = Remembered()


def forget() -> None:
    """Remember no operator any more."""
    _known.clear()


def _in_rows(kernel: Kernel) -> bool:
    return kernel.reads is Form.ROWS and kernel.writes is Form.ROWS


def _bytes_of(parameters: Parameters) -> int:
    """A struct in C, and all that it points at."""
    return _words(struct_bytes(parameters)) + _arrays(parameters)


def _arrays(parameters: Parameters) -> int:
    values = [member.value for member in members(parameters)]
    own = sum(_words(value.nbytes) for value in values if isinstance(value, np.ndarray))
    own += sum(_words(value.channels) for value in values if isinstance(value, PaddingPixel))
    return own + sum(_arrays(value) for value in values if isinstance(value, Parameters))


def _words(size: int) -> int:
    return -(-size // _WORD) * _WORD
