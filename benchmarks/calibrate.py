"""Makes the calibrations that tinynas ships, one for every board with a virtual twin.

    python benchmarks/calibrate.py [--same-code] [BOARD ...]

To be run whenever kernels change: tests/cost/test_calibration.py says so. Takes two to three minutes a board.
With --same-code nothing is run: the costs stay, and are said to be of the sources as they are now. That is
for changes of sources that leave the compiled code as it was to the byte.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from tinynas.board import board_ids, load_board
from tinynas.cli.progress import watching
from tinynas.cost.calibration import SHIPPED, kernel_digests, shipped
from tinynas.device.virtual.chip import load_chip
from tinynas.engine.goals import Goal
from tinynas.errors import TinynasError
from tinynas.pipeline.bench import FirmwareBench
from tinynas.pipeline.profile import profile
from tinynas.pipeline.target import VirtualTarget


def main() -> None:
    """Every board named, or all that there are twins of."""
    SHIPPED.mkdir(exist_ok=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    parser.add_argument("--same-code", action="store_true")
    options = parser.parse_args()
    for name in options.boards or [board for board in board_ids() if _has_twin(board)]:
        if options.same_code:
            kept = replace(shipped()[name], digests=dict(kernel_digests()))
            (SHIPPED / f"{name}.json").write_text(kept.to_text(), encoding="utf-8")
            continue
        # a folder of the board's: what is interrupted goes on
        folder = Path(tempfile.gettempdir()) / f"tinynas-calibrate-{name}"
        with watching() as watch:
            watch.note(name)
            made = profile(load_board(name), FirmwareBench(VirtualTarget()), tuple(Goal), 0, folder, watch)
        (SHIPPED / f"{name}.json").write_text(made.to_text(), encoding="utf-8")
        print(
            f"{name}: {made.networks} networks, {made.operators} operators; left out, networks are "
            f"{100 * made.errors.median:.2f} % off, at worst {100 * made.errors.worst:.2f} %"
        )


def _has_twin(board: str) -> bool:
    try:
        load_chip(load_board(board))
    except TinynasError:
        return False
    return True


if __name__ == "__main__":
    main()
