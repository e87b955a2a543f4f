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
    """What a plan is made for, and the most bytes its arena may take, if anyone says.

    An arena smaller than the goal `RAM` needs cannot be: a plan that exceeds the limit is of that size.
    """

    goal: Goal = Goal.RAM
    arena: int | None = None
