"""Operators one by one: what the network says of each beside the cycles a board, or a model, gave it."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.report.run_page.sections import Layer, Layers, Maybe, Network


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator; `layer` is None where the board ran other operators than the network has.

    `modelled` cycles stand beside those of a board, None where no model knows them.
    """

    index: int
    operator: str
    layer: Layer | None
    cycles: int
    share: float
    modelled: int | None

    @property
    def kind(self) -> str:
        """``depthwise conv``."""
        return self.operator.lower().removesuffix("_2d").replace("_", " ")

    @property
    def cycles_per_mac(self) -> float | None:
        """None for what multiplies nothing."""
        return self.cycles / self.layer.macs if self.layer and self.layer.macs else None

    @property
    def block(self) -> int | None:
        """The place of its block in the genotype, from 0."""
        return self.layer.block if self.layer else None


def operator_rows(network: Maybe[Network], layers: Layers, modelled: Maybe[Layers]) -> list[OperatorRow]:
    """The operators of `layers` in order, with what is known of the same operators from elsewhere.

    `modelled` cycles are of use where they are of the same board and plans for the same goal.
    """
    own = network.layers if isinstance(network, Network) else ()
    same = tuple(layer.operator for layer in own) == layers.operators
    beside: tuple[int | None, ...] = (None,) * len(layers.cycles)
    if isinstance(modelled, Layers) and modelled is not layers and _subject(modelled) == _subject(layers):
        beside = modelled.cycles
    whole = max(sum(layers.cycles), 1)
    return [
        OperatorRow(
            index=index,
            operator=operator,
            layer=own[index] if same else None,
            cycles=cycles,
            share=cycles / whole,
            modelled=beside[index],
        )
        for index, (operator, cycles) in enumerate(zip(layers.operators, layers.cycles, strict=True))
    ]


def _subject(layers: Layers) -> tuple[str, str, tuple[str, ...]]:
    return layers.board, layers.optimize, layers.operators


def costliest(rows: list[OperatorRow], most: int) -> list[OperatorRow]:
    """The `most` rows of most cycles, falling."""
    return sorted(rows, key=lambda row: -row.cycles)[:most]
