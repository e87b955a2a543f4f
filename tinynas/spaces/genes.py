"""Genes of a design space as small objects: how a value is drawn, mixed with another, and encoded.

A network is written down as the values of its genes by name; the free numbers among them, one after the
other, are its code.

Quantities are drawn log-uniformly (RegNet, arXiv 2003.13678, section 3.2). A rule that ties the genes of
several stages together, shared or rising, is a gene too: what it draws and mixes obeys it by itself.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: a value of a gene: a number, or a tuple of one a stage
Value: TypeAlias = Any


class Dimension(StrEnum):
    """What a gene sizes, if it sizes anything."""

    DEPTH = "depth"
    WIDTH = "width"
    RESOLUTION = "resolution"


class Gene(Protocol):
    """One choice of a design space."""

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The free numbers that a value is made of."""
        ...

    @property
    def size(self) -> int:
        """How many numbers encode a value."""
        ...

    def draw(self, rng: np.random.Generator) -> Value:
        """A value drawn at random."""
        ...

    def mix(self, a: Value, b: Value, rng: np.random.Generator, share: float) -> Value:
        """`a` with probability `share`, else `b`: for each free number on its own."""
        ...

    def encode(self, value: Value) -> tuple[float, ...]:
        """`value` as `size` numbers from 0 to 1."""
        ...

    def decode(self, codes: Sequence[float]) -> Value:
        """The value nearest to `codes` [size]; inverse of `encode`."""
        ...


class Number(ABC):
    """A gene of one number, given by its place from 0 to 1."""

    size = 1

    @abstractmethod
    def at(self, place: float) -> Value:
        """The value at `place`."""

    @abstractmethod
    def place(self, value: Value) -> float:
        """Where `value` stands."""

    @abstractmethod
    def nearest(self, target: float) -> Value:
        """The value that differs least from `target`."""

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Itself."""
        return (self,)

    def levels(self, most: int) -> tuple[Value, ...]:
        """The different values at `most` evenly spaced places: all of an `Options` that has no more."""
        return tuple(dict.fromkeys(self.at((i + 0.5) / most) for i in range(most)))

    def draw(self, rng: np.random.Generator) -> Value:
        """Uniform in place: log-uniform in value."""
        return self.at(float(rng.random()))

    def mix(self, a: Value, b: Value, rng: np.random.Generator, share: float) -> Value:
        """Either."""
        return a if rng.random() < share else b

    def encode(self, value: Value) -> tuple[float, ...]:
        """Its place."""
        return (self.place(value),)

    def decode(self, codes: Sequence[float]) -> Value:
        """The value at that place."""
        return self.at(min(1.0, max(0.0, codes[0])))


@dataclass(frozen=True, slots=True)
class Whole(Number):
    """Multiples of `step` from `least` to `most`."""

    least: int
    most: int
    step: int = 1

    def at(self, place: float) -> int:
        """The nearest multiple; the ends are as likely as their neighbours."""
        low, high = self._ends()
        nearest = round(math.exp(low + place * (high - low)) / self.step) * self.step
        return min(self.most, max(self.least, nearest))

    def place(self, value: int) -> float:
        """Where `value` stands, on a logarithmic scale."""
        low, high = self._ends()
        return (math.log(value) - low) / (high - low)

    def nearest(self, target: float) -> int:
        """The nearest multiple."""
        return min(self.most, max(self.least, round(target / self.step) * self.step))

    def _ends(self) -> tuple[float, float]:
        """Half a step beyond both, logarithmic."""
        return math.log(self.least - self.step / 2), math.log(self.most + self.step / 2)


@dataclass(frozen=True, slots=True)
class Real(Number):
    """Numbers from `least` to `most` of two decimals, as published RegNets have them."""

    least: float
    most: float

    def at(self, place: float) -> float:
        """The number at `place` on a logarithmic scale."""
        return round(self.least * math.exp(place * math.log(self.most / self.least)), 2)

    def place(self, value: float) -> float:
        """Where `value` stands, on a logarithmic scale."""
        return math.log(value / self.least) / math.log(self.most / self.least)

    def nearest(self, target: float) -> float:
        """The nearest of two decimals."""
        return round(min(self.most, max(self.least, target)), 2)


@dataclass(frozen=True, slots=True)
class Options(Number):
    """One of a few values, all equally likely."""

    values: tuple[int, ...]

    def at(self, place: float) -> int:
        """The value whose part of 0..1 `place` lies in."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def place(self, value: int) -> float:
        """The middle of its part."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def nearest(self, target: float) -> int:
        """The nearest of the values, of two the smaller."""
        return min(self.values, key=lambda value: (abs(value - target), value))


class _Stages(ABC):
    """A gene of one number for each stage or block, each free on its own."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[Number, ...]:
        """One a stage."""

    @property
    def size(self) -> int:
        """One a stage."""
        return len(self.numbers)

    def draw(self, rng: np.random.Generator) -> tuple[Value, ...]:
        """Each on its own."""
        return tuple(number.draw(rng) for number in self.numbers)

    def mix(
        self, a: tuple[Value, ...], b: tuple[Value, ...], rng: np.random.Generator, share: float
    ) -> tuple[Value, ...]:
        """Each on its own."""
        return tuple(number.mix(x, y, rng, share) for number, x, y in zip(self.numbers, a, b, strict=True))

    def encode(self, value: tuple[Value, ...]) -> tuple[float, ...]:
        """One after the other."""
        return tuple(number.encode(each)[0] for number, each in zip(self.numbers, value, strict=True))

    def decode(self, codes: Sequence[float]) -> tuple[Value, ...]:
        """One after the other."""
        return tuple(number.decode([code]) for number, code in zip(self.numbers, codes, strict=True))


@dataclass(frozen=True, slots=True)
class Unlike(_Stages):
    """A number for each stage, which are not alike in what they can be."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Each(_Stages):
    """A number of its own for each of `count` stages."""

    number: Number
    count: int

    @property
    def numbers(self) -> tuple[Number, ...]:
        """One a stage."""
        return (self.number,) * self.count


@dataclass(frozen=True, slots=True)
class Rising(Each):
    """A number for each stage, none smaller than the one before.

    Sorted draws are distributed as unsorted ones of which only those in order are kept.
    """

    def draw(self, rng: np.random.Generator) -> tuple[Value, ...]:
        """Each on its own, in order."""
        return tuple(sorted(Each.draw(self, rng)))

    def mix(
        self, a: tuple[Value, ...], b: tuple[Value, ...], rng: np.random.Generator, share: float
    ) -> tuple[Value, ...]:
        """Each on its own, in order."""
        return tuple(sorted(Each.mix(self, a, b, rng, share)))

    def decode(self, codes: Sequence[float]) -> tuple[Value, ...]:
        """One after the other, in order."""
        return tuple(sorted(Each.decode(self, codes)))


@dataclass(frozen=True, slots=True)
class Shared:
    """One number for all of `count` stages."""

    number: Number
    count: int
    size = 1

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The one."""
        return (self.number,)

    def draw(self, rng: np.random.Generator) -> tuple[Value, ...]:
        """Once for all."""
        return (self.number.draw(rng),) * self.count

    def mix(
        self, a: tuple[Value, ...], b: tuple[Value, ...], rng: np.random.Generator, share: float
    ) -> tuple[Value, ...]:
        """Once for all."""
        return (self.number.mix(a[0], b[0], rng, share),) * self.count

    def encode(self, value: tuple[Value, ...]) -> tuple[float, ...]:
        """The one."""
        return self.number.encode(value[0])

    def decode(self, codes: Sequence[float]) -> tuple[Value, ...]:
        """The one, repeated."""
        return (self.number.decode(codes),) * self.count


def encode_genes(genes: Mapping[str, Gene], choice: object) -> NDArray[np.float32]:
    """The genes of `choice`, its fields by name, as numbers from 0 to 1: [n]."""
    codes = [code for name, gene in genes.items() for code in gene.encode(getattr(choice, name))]
    return np.array(codes, np.float32)


def decode_genes(genes: Mapping[str, Gene], codes: Sequence[float] | NDArray[np.float32]) -> dict[str, Value]:
    """The values nearest to `codes` [n] by name; inverse of `encode_genes`."""
    left, values = [float(code) for code in codes], {}
    for name, gene in genes.items():
        values[name], left = gene.decode(left[: gene.size]), left[gene.size :]
    return values
