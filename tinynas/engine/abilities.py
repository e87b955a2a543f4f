"""Which kernels can run operators without values: as if they had typical ones, which are hardly ever drawn.

Kernels look at what values an operator has, at its settings and constants; at the sizes of its maps only
where those give margins, or have to agree. So what runs one operator runs many (`tinynas.graph.extremes`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tinynas.engine.alike import Remembered
from tinynas.engine.kernels import Kernel, Spends, accepting, candidates, check_maps
from tinynas.graph import Graph, Operator
from tinynas.graph.extremes import Layers, extreme_layer, layers_like
from tinynas.graph.typical import CHANNEL_AXES, with_typical_operator


@dataclass(frozen=True, eq=False)
class Abilities:
    """The kernels that take no more than `spends`, by operators that the same ones can run."""

    spends: Spends
    _known: Remembered[Sequence[Kernel]] = field(default_factory=Remembered, init=False)

    def of(self, graph: Graph, index: int, kinds: Sequence[int]) -> Sequence[Kernel]:
        """Those that can run operator `index` of `graph`, whose tensors have values of `kinds`.

        Raises:
            ModelError: there is none; the operator is named with its index.
        """
        operator = graph.operators[index]

        def drawn() -> Sequence[Kernel]:
            return candidates(with_typical_operator(graph, index, kinds), index, self.spends)

        if operator.kind not in CHANNEL_AXES:
            check_maps(graph, index)
            return self._remembered(_manner(graph, operator, kinds), drawn)
        layers = layers_like(graph, operator, kinds[operator.inputs[0]])
        if layers is None:
            return drawn()
        check_maps(graph, index)
        if found := self._remembered(layers, lambda: self._of_all(layers)):
            return found
        return self._remembered((layers, graph.tensors[operator.inputs[1]].shape), drawn)

    def _of_all(self, layers: Layers) -> Sequence[Kernel]:
        """Those that can run all of `layers`; none where it hangs on the values of each."""
        ends = [extreme_layer(layers, large=large) for large in (True, False)]
        large, small = (accepting(graph, graph.operators[0], self.spends) for graph in ends)
        return large if large == small else []

    def _remembered(self, key: Hashable, find: Callable[[], Sequence[Kernel]]) -> Sequence[Kernel]:
        if (known := self._known.get(key)) is None:
            known = self._known[key] = find()
        return known


@lru_cache
def abilities(spends: Spends) -> Abilities:
    """What is remembered of kernels that take no more than `spends`."""
    return Abilities(spends)


def _manner(graph: Graph, operator: Operator, kinds: Sequence[int]) -> Hashable:
    """All that kernels look at of an operator without weights.

    Of the sizes of its maps that is along which axes they are one, or those of the output.
    """
    made = graph.tensors[operator.outputs[0]]
    inputs = list[Hashable]()
    for i in operator.inputs:
        tensor = graph.tensors[i]
        if tensor.constant or len(tensor.shape) != len(made.shape):
            inputs.append((tensor.shape, tensor.dtype, tensor.constant, kinds[i]))
        else:
            sizes = [(size == 1, size == other) for size, other in zip(tensor.shape, made.shape, strict=True)]
            inputs.append((tuple(sizes), tensor.dtype, False, kinds[i]))
    settings = (operator.kind, operator.activation, operator.axis, operator.beta, operator.window)
    return (*settings, *inputs, len(made.shape), made.dtype)
