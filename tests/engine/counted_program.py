"""A program around a model whose C is given, counted under Unicorn on a bare core."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import Core, Interface, build
from cores.unicorn_process import Count, count


def counted_program(folder: Path, invoke: str, core: Core, cycles_of: Sequence[str] = ()) -> Count:
    """What is counted of a model of one input and one output byte, whose C is `invoke`."""
    source = folder / "net.c"
    (folder / "net.h").write_text(
        "#include <stdint.h>\nint8_t *net_input(unsigned i);\nconst int8_t *net_output(unsigned i);\n"
        "void net_invoke(void);\nvoid tn_run(void);\n"
    )
    # the scheduler is never called, and the linker would drop it
    ends = "void tn_run(void) { }\nstatic void (*volatile kept)(void) = tn_run;\n"
    ends += "int8_t *net_input(unsigned i) { return kept ? bytes + i : 0; }\n"
    ends += "const int8_t *net_output(unsigned i) { return bytes + i; }\n"
    source.write_text(f'#include "net.h"\nstatic int8_t bytes[2];\n{ends}{invoke}\n')
    firmware = build([source], [], Interface("net", (1,), (1,)), core, folder / "built")
    return count(firmware, np.zeros(1, np.int8), folder, cycles_of=cycles_of)
