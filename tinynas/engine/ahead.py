"""How far an output may lie over the map that its group uses up, in closed form: for many networks at once.

The rule itself, row by row, is `tinynas.engine.overlap`; for one network, and any windows that move evenly,
`tinynas.engine.progress` has it. Where all move evenly, what is needed and what is written grow evenly too,
so that one of three rows is the worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: int32 or int64 [k], or of any shapes that fit together
Ints = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Advance:
    """The rows of a map that its reader still needs once row y of a group's output is made: [k] each.

    The reader has then done `pace` * y + `read` of its `steps`, and the next needs rows from `stride` times
    that, less `above`, on.
    """

    pace: Ints
    read: Ints
    steps: Ints
    stride: Ints
    above: Ints

    def ahead(self, rows: Ints, made_bytes: Ints, height: Ints, row_bytes: Ints) -> Ints:
        """Bytes by which the output must stick out so that none of its `rows` takes a row still needed.

        Its rows are of `made_bytes`, those of the map, of which there are `height`, of `row_bytes`.
        """
        # the last row after which something is still needed, and the last before which all is
        last = np.minimum(rows - 1, (self.steps - 1 - self.read) // self.pace)
        untouched = (self.above // self.stride - self.read) // self.pace
        reaches = []
        # in between both grow evenly, so that the worst row is one of these
        for row in (untouched, untouched + 1, last):
            y = np.minimum(np.maximum(row, 0), last)
            needed = np.maximum(self.stride * (self.pace * y + self.read) - self.above, 0)
            reaches.append((y + 1) * made_bytes - needed * row_bytes)
        most: Ints = np.maximum(np.maximum(*reaches[:2]), reaches[2])
        return np.where(last < 0, -height * row_bytes, most)
