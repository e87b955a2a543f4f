"""How far one operator has come once a row of another's output is made, in closed form.

Windows move evenly, so what each row of an operator needs of the one before grows evenly too, until there is
no more; and so it is across any number of them. Few windows do not (see `Progress.through`); for these
`tinynas.engine.overlap` looks at every row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tinynas.engine.rows import Slide, Span


class Branch(NamedTuple):
    """An operator by what it reads of those shortly before it, whatever tensors and sizes these have.

    `sources` are (distance, span): how many operators before it the one stands that makes what it reads.
    """

    steps: int
    at_end: bool
    sources: tuple[tuple[int, Span], ...]


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

    def ahead(self, span: Span, up: bool, steps: int, rows: int, made_bytes: int, row_bytes: int) -> int:
        """Bytes by which an output must stick out over a map so that none of its rows takes one still needed.

        The operator with this progress, of `steps`, reads the map by `span`, in rows of `row_bytes`; the
        output has `rows` of `made_bytes`.
        """
        slide = span.slide
        assert slide is not None
        pace, lead, most = self
        stride, above = slide.stride, margin(slide, up)
        # steps until which something is still needed, and the last row after which no more are done
        needing = min(steps - 1, (span.rows - 1 + above) // stride) if stride else steps - 1
        if most <= needing:
            last = rows - 1
        elif lead <= needing:
            last = min(rows - 1, (needing - lead) // pace)
        else:
            return -span.rows * row_bytes
        if not pace or not stride:
            turns: tuple[int, ...] = (last,)
        else:
            # from the row on after which the map's first is no longer needed, until all steps are done, both
            # what is written and what is needed grow evenly, so that the worst row is one of these
            untouched = (above // stride - lead) // pace
            turns = (untouched, untouched + 1, -((lead - most) // pace) - 1, last)
        worst = []
        for turn in turns:
            y = min(max(turn, 0), last)
            needed = max(stride * min(most, pace * y + lead) - above, 0)
            worst.append((y + 1) * made_bytes - needed * row_bytes)
        return max(worst)


#: that of an operator from which nothing leads there
NO_PROGRESS = Progress(0, 0, 0)
#: run (down, up)
Ways = tuple[Progress, Progress]


@lru_cache(maxsize=2**14)
def progress_along(branches: tuple[Branch, ...]) -> Ways | None:
    """Of the first operator of `branches`, once each row of what the last one makes is made.

    None where one way has no closed form.
    """
    down, up = _along(branches, False), _along(branches, True)
    return None if down is None or up is None else (down, up)


def _along(branches: tuple[Branch, ...], up: bool) -> Progress | None:
    steps, at_end, _ = branches[0]
    found: list[Progress | None] = [Progress(0, steps, steps) if at_end else Progress(1, 1, steps)]
    for index, (steps, at_end, sources) in enumerate(branches[1:], start=1):
        made = [(found[index - distance], span) for distance, span in sources if distance <= index]
        further: Progress | None = NO_PROGRESS
        for before, span in made:
            if further is None or before is NO_PROGRESS:
                continue
            through = before and before.through(span, up, steps - 1)
            further = through and further.and_of(through)
        if at_end and further:
            further = further.in_last()
        found.append(further)
    return found[-1]


def before_own(steps: int, at_end: bool) -> Progress:
    """Steps that an operator has done while it writes each row of its own output."""
    return Progress(0, steps - 1, steps - 1) if at_end else Progress(1, 0, steps - 1)


def margin(slide: Slide, up: bool) -> int:
    """Rows by which the first step's window begins before the map."""
    return slide.below if up else slide.above
