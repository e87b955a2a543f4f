"""Makes the calibrations that tinynas ships: of boards with a virtual twin, and of those that are counted.

    python benchmarks/calibrate.py [--same-code] [--fresh] [BOARD ...]

To be run whenever kernels change: tests/cost/test_calibration.py says so. Takes two to three minutes a board.
Boards without a twin have their instructions counted (cores/counted.py): five minutes of processor time.
What was interrupted goes on, unless --fresh: after a change of how boards are timed or lines are counted.
With --same-code nothing is run: the costs stay, and are said to be of the sources as they are now. That is
for changes of sources that leave the compiled code as it was to the byte.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benches import bench_of, timed_boards

from tinynas.board import load_board
from tinynas.cli.progress import watching
from tinynas.cost.calibration import SHIPPED, kernel_digests, shipped
from tinynas.engine.goals import Goal
from tinynas.errors import TinynasError
from tinynas.pipeline.profile import profile


def main() -> None:
    """Every board named, or all."""
    SHIPPED.mkdir(exist_ok=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    parser.add_argument("--same-code", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    for name in options.boards or timed_boards():
        if options.same_code:
            kept = replace(shipped()[name], digests=dict(kernel_digests()))
            (SHIPPED / f"{name}.json").write_text(kept.to_text(), encoding="utf-8")
            continue
        folder = Path(tempfile.gettempdir()) / f"tinynas-calibrate-{name}"
        if options.fresh:
            shutil.rmtree(folder, ignore_errors=True)
        with watching() as watch:
            watch.note(name)
            made = profile(load_board(name), bench_of(name), tuple(Goal), 0, folder, watch)
        (SHIPPED / f"{name}.json").write_text(made.to_text(), encoding="utf-8")
        shutil.rmtree(folder)
        off = f"{100 * made.errors.median:.2f} % off, at worst {100 * made.errors.worst:.2f} %"
        print(f"{name}: {made.times}; {made.networks} networks, {made.operators} operators; left out, {off}")


if __name__ == "__main__":
    try:
        main()
    except TinynasError as error:
        sys.exit(f"error: {error}")
