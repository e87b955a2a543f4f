"""The words that stand beside every time of the virtual board; without its libraries, for all who print one.

Against published times of MLPerf Tiny's firmware (benchmarks/virtual_mlperf.py) a Cortex-M7 came out within
4 % on eight, a Cortex-M4 between 7 % too low and 1 % too high on four; the words leave room for what is not
among them.
"""

from __future__ import annotations

_ACCURACY = {
    "cortex-m7": "modelled, +-15 %",
    "cortex-m4": "modelled, 2 % too high to 7 % too low where compared",
}


def accuracy(core: str) -> str:
    """How far a time of the modelled ``core`` can be trusted."""
    return _ACCURACY[core]
