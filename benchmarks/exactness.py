"""Bit-exactness: compiled C against TensorFlow Lite Micro, on this computer under sanitizers and in QEMU.

    python benchmarks/exactness.py [--record] [--only NAME] [--inputs 100] [--nets 200] [--jobs 1]
        [--goal speed]

The networks: the real files of ../shared/models, each also cut behind its last large feature map so that its
body shows; the published networks with random weights; random networks of the search's spaces, some with
squeeze-and-excitation and dead channels. Each is compiled by tinynas and fed int8 at random and at its
extremes; every byte of the file's own outputs must equal what PyPI's `tflite_micro` makes of the file.
Files with conversions at their borders are compiled with and without `--keep-float-io`.

On this computer the program is built with ASan and UBSan, its arena alone between two poisoned zones and full
of garbage before every inference. For Armv7E-M the same C is built for a Cortex-M7 and a Cortex-M4, and runs
in QEMU on the first of the samples.

First it shows that it would notice: an arena too short and one changed weight must be found. Any difference
ends it with status 1 and names the network, the sample and the first operator that differs.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from cores.build import CORTEX_M4, CORTEX_M7, compiler_missing
from cores.qemu import emulator_missing
from exact.comparing import ROOM, Comparison, Task, compare, first_difference, notices_short_arena
from exact.programs import Emulated, Host, Platform
from exact.subjects import Subject, body_of_model, published_network, random_network, real_model
from exact.tflite_edits import with_one_changed_weight
from random_network import random_tflite
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.cost.compute import macs
from tinynas.engine.goals import Goal
from tinynas.networks import build_graph, parse_genotype
from tinynas.networks.presets import PRESETS

Maker = Callable[[], Subject | None]

ROOT = Path(__file__).resolve().parent.parent

_SEED = 7
#: samples of a body, of a published and of a random network
_FEW = {"body": 20, "published": 6, "random": 6}
#: samples in QEMU at most, by group, and the most products they may take together
_EMULATED = {"model": 10, "body": 3, "published": 2, "random": 3}
_MOST_MACS = 250_000_000
_GROUPS = {
    "model": "files of others",
    "body": "their bodies",
    "published": "published networks",
    "random": "random networks",
}
_SMALL = "r16x3 conv_k3_s2_c8 ir_k3_s1_e3_c8 ir_k5_s2_e3_c16_se0.25 fc_c10"


@dataclass(frozen=True, slots=True)
class Total:
    """One group on one platform."""

    group: str
    platform: str
    networks: int
    programs: int
    inputs: int
    bytes_compared: int
    bytes_different: int


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds by the clock and of processors, all processes together; networks at a time."""

    seconds: int
    processor_seconds: int
    jobs: int


def main() -> None:
    """Compare, print, record."""
    options = _options()
    for missing in (compiler_missing(), emulator_missing()):
        if missing:
            sys.exit(missing)
    makers = [*_files(options), *_networks(options)]
    if not makers:
        sys.exit("nothing of that name: leave --only out to see all")
    began = time.monotonic()
    with TemporaryDirectory(prefix="tinynas-exactness-") as name, ProcessPoolExecutor(options.jobs) as pool:
        folder = Path(name)
        pool.submit(_prove, folder).result()
        done = list(_watched(pool.map(partial(_examine, folder, Goal(options.goal)), makers), len(makers)))
    took = Took(round(time.monotonic() - began), _processor_seconds(), options.jobs)
    comparisons = [each for network in done for each in network]
    totals = list(_totals(comparisons))
    _show(comparisons, totals, Console(width=None if sys.stdout.isatty() else 130))
    print(f"{took.seconds} s, {took.processor_seconds} s of a processor, {took.jobs} job(s)")
    if options.record:
        suffix = "" if options.goal == "ram" else f"_{options.goal}"
        record(f"exactness{suffix}", _figures(comparisons, totals, took))
    for each in comparisons:
        if not each.exact:
            print(f"{each.name} ({each.borders}) on {each.platform}: {each.fault}", file=sys.stderr)
    sys.exit(not all(each.exact for each in comparisons))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models", help="their folder")
    parser.add_argument("--only", default="", help="files and published networks whose names hold this")
    parser.add_argument("--inputs", type=int, default=100, help="samples of each file; others have fewer")
    parser.add_argument("--nets", type=int, default=200, help="random networks")
    parser.add_argument("--first", type=int, default=0, help="number of the first random network")
    parser.add_argument("--jobs", type=int, default=1, help="networks at a time")
    parser.add_argument(
        "--goal", choices=[goal.value for goal in Goal], default="ram", help="as tinynas compile --optimize"
    )
    parser.add_argument(
        "--record", action="store_true", help="write benchmarks/results/exactness[_GOAL].json"
    )
    return parser.parse_args()


def _files(options: argparse.Namespace) -> Iterator[Maker]:
    for path in sorted(options.models.glob("*.tflite")):
        if options.only in path.stem:
            yield partial(real_model, path, options.inputs)
            yield partial(body_of_model, path, min(options.inputs, _FEW["body"]))


def _networks(options: argparse.Namespace) -> Iterator[Maker]:
    for name in PRESETS:
        if options.only in name:
            yield partial(published_network, name, min(options.inputs, _FEW["published"]))
    for number in range(options.first, options.first + options.nets):
        yield partial(random_network, number, min(options.inputs, _FEW["random"]))


def _processor_seconds() -> int:
    """Of this process and all that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(each.ru_utime + each.ru_stime for each in used))


# --- in a worker ----------------------------------------------------------------------------------------


@cache
def _platforms(folder: Path) -> tuple[Platform, Platform, Platform]:
    """This worker's own; the engine is built when it is first needed."""
    mine = folder / str(os.getpid())
    mine.mkdir()
    return Host(mine / "host"), Emulated(CORTEX_M7, mine / "m7"), Emulated(CORTEX_M4, mine / "m4")


def _examine(folder: Path, goal: Goal, maker: Maker) -> list[Comparison]:
    made_for_ram = maker()
    if made_for_ram is None:
        return []
    subject = replace(made_for_ram, goal=goal)
    host, *emulated = _platforms(folder)
    tasks = [Task(host, subject.samples)]
    if len(subject.model) <= ROOM:
        most = min(_EMULATED[subject.group], max(1, _MOST_MACS // macs(subject.graph())))
        tasks += [Task(platform, most) for platform in emulated]
    made = list(compare(subject, tasks, _SEED))
    if (wrong := next((each for each in made if not each.exact), None)) is not None:
        task = next(task for task in tasks if task.platform.name == wrong.platform)
        place = first_difference(subject, task, _SEED)
        made = [each if each.exact else each.blamed(place) for each in made]
    return made


def _prove(folder: Path) -> None:
    """Show on a small network that a short arena and a wrong weight are noticed.

    Raises:
        AssertionError: one is not, so that nothing else here would mean anything.
    """
    model = random_tflite(build_graph(parse_genotype(_SMALL)), _SEED)
    subject, host = Subject("random", _SMALL, model, 2), _platforms(folder)[0]
    for missing in (4, 64):
        if not notices_short_arena(subject, host, missing, _SEED):
            raise AssertionError(f"an arena {missing} bytes too short went unnoticed")
    wrong = Subject("random", _SMALL, with_one_changed_weight(model), 2)
    tasks = [Task(platform, 2) for platform in _platforms(folder)]
    for right in compare(subject, tasks, _SEED):
        if not right.exact:
            raise AssertionError(f"a small network already fails on {right.platform}: {right.fault}")
    for each in compare(wrong, tasks, _SEED, truth=model):
        if not each.bytes_different:
            raise AssertionError(f"a changed weight went unnoticed on {each.platform}")


# --- telling --------------------------------------------------------------------------------------------


def _watched(results: Iterable[list[Comparison]], count: int) -> Iterator[list[Comparison]]:
    """`results` as they come, each told in a line."""
    began = time.monotonic()
    for number, result in enumerate(results, 1):
        wrong = [each for each in result if not each.exact]
        name = result[0].name[:70] if result else "no large feature map: nothing to cut behind"
        verdict = f"DIFFERS on {', '.join(each.platform for each in wrong)}" if wrong else "exact"
        print(f"{time.monotonic() - began:5.0f} s  {number}/{count}  {verdict}  {name}", flush=True)
        yield result


def _totals(comparisons: Sequence[Comparison]) -> Iterator[Total]:
    for group in _GROUPS:
        for platform in dict.fromkeys(each.platform for each in comparisons):
            own = [each for each in comparisons if (each.group, each.platform) == (group, platform)]
            if own:
                yield Total(
                    group,
                    platform,
                    len({each.name for each in own}),
                    len(own),
                    sum(each.samples for each in own),
                    sum(each.bytes_compared for each in own),
                    sum(each.bytes_different for each in own),
                )


def _show(comparisons: Sequence[Comparison], totals: Sequence[Total], console: Console) -> None:
    table = Table("network", "borders", "platform", title="Bytes that differ from TensorFlow Lite Micro's")
    for column in ("arena", "inputs", "bytes compared", "different"):
        table.add_column(column, justify="right")
    for each in comparisons:
        if each.group != "random" or not each.exact:
            told = (each.arena_bytes, each.samples, each.bytes_compared, each.bytes_different)
            table.add_row(each.name[:44], each.borders, each.platform, *(f"{n:,}" for n in told))
    if table.row_count:
        console.print(table)
    table = Table("what", "platform", title="In all")
    for column in ("networks", "programs", "inputs", "bytes compared", "different"):
        table.add_column(column, justify="right")
    for total in totals:
        figures = (total.networks, total.programs, total.inputs, total.bytes_compared, total.bytes_different)
        table.add_row(_GROUPS[total.group], total.platform, *(f"{n:,}" for n in figures))
    console.print(table)


def _figures(comparisons: Sequence[Comparison], totals: Sequence[Total], took: Took) -> dict[str, object]:
    return {
        "oracle": f"tflite_micro {version('tflite_micro')}",
        **asdict(took),
        "noticed": ["an arena 4 and 64 bytes too short", "one changed weight, on every platform"],
        "totals": [asdict(total) for total in totals],
        "comparisons": [asdict(each) for each in comparisons if each.group != "random" or not each.exact],
        "random_networks": list(dict.fromkeys(each.name for each in comparisons if each.group == "random")),
    }


if __name__ == "__main__":
    main()
