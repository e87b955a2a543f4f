"""What a plan is made for, and what it may take. Nothing is imported, so that every command can offer it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Goal(enum.Enum):
    """What a plan is made for."""

    #: the smallest arena
    RAM = "ram"
    #: fast, with an arena at most 40 % and 1 kB larger, and weights as small as in the file
    BALANCED = "balanced"
    #: fast, whatever it takes
    SPEED = "speed"


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plan is made for, and the most bytes that its arena and its constants may take, if anyone says.

    Less than the goal `RAM` takes cannot be: where that exceeds a limit, the plan takes as much of it. `dsp`
    is whether the core has Arm's DSP instructions: without them the smallest kernels are the fastest, too.
    """

    goal: Goal = Goal.RAM
    arena: int | None = None
    constants: int | None = None
    dsp: bool = True
