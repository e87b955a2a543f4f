"""How far one operator has come once a row of another's output is made, in closed form.

Windows move evenly, so what each row of an operator needs of the one before grows evenly too, until there is
no more; and so it is across any number of them. Few windows do not (see `Progress.through`); for these
`tinynas.engine.overlap` looks at every row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tinynas.engine.rows import Making, Slide, Span


class Branch(NamedTuple):
    """An operator by what it reads of those shortly before it, whatever tensors and sizes these have.

    `sources` are (distance, span): how many operators before it the one stands that makes what it reads.
    """

    making: Making
    sources: tuple[tuple[int, Span], ...]


#: (rows of an output written, rows of a map no longer needed): the worst row of the output is one of these
Corners = tuple[tuple[int, int], ...]


class Progress(NamedTuple):
    """Once row y of an output is made, an operator has done min(`most`, `pace` * y + `lead`) steps."""

    pace: int
    lead: int
    most: int

    def through(self, span: Span, up: bool, last: int) -> Progress | None:
        """The progress once step y of a reader is done, which reads the output by `span` until step `last`.

        `up`: rows run from the bottom up. None where it is no such progress: a window that does not move
        evenly, or is beyond the map at first.
        """
        slide = span.slide
        if slide is None:
            return None
        # rows that the first step needs
        rows = slide.reach - margin(slide, up)
        if rows < 1:
            return None
        pace, lead = self.pace * slide.stride, self.pace * (rows - 1) + self.lead
        most = min(self.most, self.pace * (span.rows - 1) + self.lead, pace * last + lead)
        return Progress(pace, lead, most) if lead < most else Progress(0, most, most)

    def and_of(self, other: Progress) -> Progress | None:
        """The further of both; None where now one is, now the other."""
        for one, behind in ((self, other), (other, self)):
            if one.most >= behind.most and (
                one.lead >= behind.most or (one.lead >= behind.lead and one.pace >= behind.pace)
            ):
                return one
        return None

    def in_last(self) -> Progress:
        """The progress once the last row is made: of one that writes its only row in its last step."""
        return self if self is NO_PROGRESS else Progress(0, self.most, self.most)

    def corners(self, span: Span, up: bool, steps: int, rows: int) -> Corners:
        """The worst rows of an output of `rows` over a map that the operator, of `steps`, reads by `span`."""
        slide = span.slide
        assert slide is not None
        if self is NO_PROGRESS:
            return ((rows, 0),)
        pace, lead, most = self
        stride, above = slide.stride, margin(slide, up)
        # steps until which something is still needed, and the last row after which no more are done
        needing = min(steps - 1, (span.rows - 1 + above) // stride) if stride else steps - 1
        if most <= needing:
            last = rows - 1
        elif lead <= needing:
            last = min(rows - 1, (needing - lead) // pace)
        else:
            return ((0, span.rows),)
        turns = [last]
        if pace and stride:
            # from the row on after which the map's first is no longer needed, until all steps are done, both
            # what is written and what is needed grow evenly, so that the worst row is one of these
            untouched = (above // stride - lead) // pace
            turns += [untouched, untouched + 1, -((lead - most) // pace) - 1]
        found = []
        for turn in turns:
            y = min(max(turn, 0), last)
            found.append((y + 1, max(stride * min(most, pace * y + lead) - above, 0)))
        return tuple(dict.fromkeys(found))


#: that of an operator from which nothing leads there
NO_PROGRESS = Progress(0, 0, 0)


@lru_cache(maxsize=2**14)
def corners_along(branches: tuple[Branch, ...], span: Span) -> tuple[Corners, Corners] | None:
    """Of what the last of `branches` makes over a map that the first reads by `span`, run (down, up).

    None where that has no closed form.
    """
    making, last = branches[0].making, branches[-1].making
    if span.slide is None or not all(branch.making.even for branch in branches):
        return None
    steps = making.steps
    found = []
    for up in (False, True):
        if len(branches) > 1:
            progress = _along(branches, up)
        else:
            # it reads while it writes
            progress = Progress(0, steps - 1, steps - 1) if making.at_end else Progress(1, 0, steps - 1)
        if progress is None:
            return None
        found.append(progress.corners(span, up, steps, last.rows))
    return found[0], found[1]


def _along(branches: tuple[Branch, ...], up: bool) -> Progress | None:
    """Of the first operator, once each row of what the last one makes is made."""
    making, _ = branches[0]
    steps = making.steps
    found: list[Progress | None] = [Progress(0, steps, steps) if making.at_end else Progress(1, 1, steps)]
    for index, (making, sources) in enumerate(branches[1:], start=1):
        further: Progress | None = NO_PROGRESS
        for distance, span in sources:
            before = found[index - distance] if distance <= index else NO_PROGRESS
            if further is not None and before is not NO_PROGRESS:
                through = before and before.through(span, up, making.steps - 1)
                further = through and further.and_of(through)
        found.append(further.in_last() if making.at_end and further else further)
    return found[-1]


def margin(slide: Slide, up: bool) -> int:
    """Rows by which the first step's window begins before the map."""
    return slide.below if up else slide.above
