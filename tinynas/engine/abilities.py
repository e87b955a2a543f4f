"""Which kernels can run operators without values: as if they had typical ones, which are hardly ever drawn.

Kernels look at what values an operator has, at its settings and constants; at the sizes of its maps only
where those give margins, or have to agree. So what runs one operator runs many (`tinynas.graph.extremes`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from tinynas.engine.alike import Remembered
from tinynas.engine.kernels import Kernel, Spends, accepting
from tinynas.graph import OpKind
from tinynas.graph.extremes import Layers, extreme_layer, layers_like
from tinynas.graph.outline import Likeness, alone
from tinynas.graph.typical import CHANNEL_AXES, largest_magnitude, with_typical_operator

#: magnitudes are looked at together by so many
_ABOUT = 4096


@dataclass(frozen=True, eq=False)
class Abilities:
    """The kernels that take no more than `spends`, by operators that the same ones can run."""

    spends: Spends
    _known: Remembered[tuple[Kernel, ...]] = field(default_factory=Remembered, init=False)
    _sets: dict[tuple[str, ...], tuple[Kernel, ...]] = field(default_factory=dict, init=False)

    def of(self, operators: Likeness, kinds: Sequence[int]) -> tuple[Kernel, ...]:
        """Those that can run operators of `operators`, if their maps are held; none where nothing runs them.

        The feature maps among the inputs have values of `kinds` (`tinynas.graph.typical`). The same kernels
        are the same tuple.
        """

        def drawn() -> Sequence[Kernel]:
            graph = alone(operators)
            of_tensors = [0] * len(graph.tensors)
            for place, kind in zip(graph.inputs, kinds, strict=True):
                of_tensors[place] = kind
            filled = with_typical_operator(graph, 0, of_tensors)
            return accepting(filled, filled.operators[0], self.spends)

        if operators.kind not in CHANNEL_AXES:
            return self._remembered((_manner(operators), *kinds), drawn)
        layers = layers_like(operators, kinds[0]) if kinds else None
        if layers is None:
            return self._same(drawn())
        found = self._of_all(layers, layers.largest_magnitude)
        if found or layers.kind is OpKind.DEPTHWISE_CONV_2D:
            return found or self._same(drawn())

        def told() -> Sequence[Kernel]:
            magnitude = -(-largest_magnitude(operators) // _ABOUT) * _ABOUT
            return self._of_all(layers, magnitude) or drawn()

        return self._remembered((layers, operators.inputs[1]), told)

    def _of_all(self, layers: Layers, magnitude: int) -> tuple[Kernel, ...]:
        """Those that can run all of `layers` up to a `magnitude`; none where each one's values decide."""
        large, zero = (
            self._remembered((layers, each), partial(self._of_extreme, layers, each))
            for each in (magnitude, 0)
        )
        return large if large is zero else ()

    def _of_extreme(self, layers: Layers, magnitude: int) -> Sequence[Kernel]:
        graph = extreme_layer(layers, magnitude)
        return accepting(graph, graph.operators[0], self.spends)

    def _remembered(self, key: Hashable, find: Callable[[], Sequence[Kernel]]) -> tuple[Kernel, ...]:
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._same(find())
        return known

    def _same(self, kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
        """`kernels` as one object wherever they are the same."""
        found = tuple(kernels)
        return self._sets.setdefault(tuple([kernel.function for kernel in found]), found)


@lru_cache
def abilities(spends: Spends) -> Abilities:
    """What is remembered of kernels that take no more than `spends`."""
    return Abilities(spends)


def _manner(operators: Likeness) -> Hashable:
    """All that kernels look at of an operator without weights.

    Of the sizes of its maps that is along which axes they are one, or those of the output.
    """
    (made, dtype, _), inputs = operators.output, list[Hashable]()
    for face in operators.inputs:
        if face is None or face[2]:
            inputs.append(face)
        elif len(face[0]) != len(made):
            inputs.append((len(face[0]), face[1]))
        else:
            sizes = [(size == 1, size == other) for size, other in zip(face[0], made, strict=True)]
            inputs.append((tuple(sizes), face[1]))
    return (
        operators.kind,
        operators.window,
        operators.activation,
        operators.settings,
        *inputs,
        len(made),
        dtype,
    )
