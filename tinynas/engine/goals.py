"""What a plan is made for, and what it may take. Nothing else is loaded, so every command can offer it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tinynas.engine.kernels import Kernel
    from tinynas.engine.tasks import Task


class Goal(enum.Enum):
    """What a plan is made for."""

    #: the smallest arena
    RAM = "ram"
    #: fast, with an arena at most 40 % and 1 kB larger, and weights as small as in the file
    BALANCED = "balanced"
    #: fast, whatever it takes
    SPEED = "speed"


class Price(Protocol):
    """What an operator takes by a kernel, in a unit of its own: of several kernels the least is chosen.

    Equal prices say the same of everything, so that plans for equal aims are equal.
    """

    def __call__(self, task: Task, kernel: Kernel) -> float:
        """Of all steps of `task` together, one or many."""
        ...

    def __hash__(self) -> int:
        """What equal prices share."""
        ...


def instructions(task: Task, kernel: Kernel) -> float:
    """The catalogue's modelled instructions: the price where nobody knows on which board the plan runs."""
    return kernel.instructions(task)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plan is made for, and the most bytes that its arena and its constants may take, if anyone says.

    Less than the goal `RAM` takes cannot be: where that exceeds a limit, the plan takes as much of it. `dsp`
    is whether the core has Arm's DSP instructions: without them the smallest kernels are the fastest, too.
    `price` is what kernels that may spend memory are chosen by; the smallest ones are the same everywhere.
    """

    goal: Goal = Goal.RAM
    arena: int | None = None
    constants: int | None = None
    dsp: bool = True
    price: Price = instructions
