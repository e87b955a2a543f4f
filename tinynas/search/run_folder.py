"""A run is a folder: the request first, then every artefact as it is finished, and one process at a time.

A stage is done when its artefact exists; artefacts are written whole or not at all. So the same command,
started again after any end, does what is missing and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from tinynas.errors import RunError
from tinynas.search.disk import LOCK, PARTIAL, disk_errors, held_alone, written_whole
from tinynas.search.journal import CandidateJournal
from tinynas.search.timings import TimingJournal

#: what every run holds, by name
REQUEST = "request.json"
SPACE = "space.json"
LARGEST, SUPERNET, WINNER = "largest.npz", "supernet.npz", "winner.npz"
#: written once the supernet's training is over
TRAINED = "supernet.json"
CANDIDATES = "candidates.jsonl"
#: what a board measured in the middle of the search, a line each
TIMINGS = "measurements.jsonl"
CHOSEN = "winner.json"
#: networks that no other beats, once the search is over
FRONT = "front.json"
MODEL = "model.tflite"
RESULT = "result.json"
TIMES = "times.json"
#: loss and accuracy along the trainings of supernet and winner
HISTORY = "history.jsonl"
#: where the run was made
ENVIRONMENT = "environment.json"
#: folder of what boards said of the model, a file each
DEPLOYMENTS = "deployments"
#: folder of other members of the front that were exported, a folder each with the artefacts of a winner
PICKS = "picks"
#: what only a study holds: the networks it trains
STUDIED = "networks.json"
#: the kind of request of a comparison of strategies, and its searches
COMPARISON, CURVES = "comparison", "curves.jsonl"


class RunFolder:
    """The artefacts of one run, while this process holds it: made by `open_run`.

    Names may contain folders (``plots/space.svg``). Every method raises RunError where the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def journal(self) -> CandidateJournal:
        """The candidates scored so far, mended at its end if a kill tore it."""
        return CandidateJournal(self.path / CANDIDATES)

    @cached_property
    def timings(self) -> TimingJournal:
        """What a board measured so far, mended likewise."""
        return TimingJournal(self.path / TIMINGS)

    def has(self, name: str) -> bool:
        """Whether the stage that makes `name` is done."""
        return (self.path / name).exists()

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Gives a temporary path with the suffix of `name`; the artefact exists once the block ends well."""
        return written_whole(self.path / name)

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Makes the artefact `name` in one step; its path is returned."""
        with self.writing(name) as partial:
            partial.write_bytes(content)
        return self.path / name

    def write_text(self, name: str, content: str) -> Path:
        """`write_bytes` for text in UTF-8."""
        return self.write_bytes(name, content.encode())

    def write_json(self, name: str, value: object) -> Path:
        """`write_bytes` for plain data, indented for people."""
        return self.write_text(name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def remove(self, name: str) -> None:
        """The artefact `name` is there no more, if it was."""
        with disk_errors(self.path / name):
            (self.path / name).unlink(missing_ok=True)

    def read_json(self, name: str) -> Any:
        """The plain data of the artefact `name`.

        Raises:
            RunError: it is absent or damaged.
        """
        return read_json(self.path / name)


@contextmanager
def open_run(path: Path | str, request: Mapping[str, object]) -> Iterator[RunFolder]:
    """Begins the run of `request` in the folder `path`, or continues it, and holds it through the block.

    `request` is plain data, all that decides the result; it is written first. Missing folders are made.

    Raises:
        RunError: the path is a file or a folder of something else, belongs to another request (the message
            names what differs), is held by another process, or the disk fails.
    """
    folder = Path(path)
    require_run_or_empty(folder)
    with held_alone(folder, "wait until it ends, or name another folder with --run"):
        run = RunFolder(folder)
        if run.has(REQUEST):
            _require_same(folder, run.read_json(REQUEST), _plain(request))
        else:
            run.write_json(REQUEST, _plain(request))
        yield run


def default_run_path(request: Mapping[str, object], root: Path | str = "runs") -> Path:
    """Where `request` runs unless told otherwise: ``runs/stm32f746-320k-digits-s0-1f3a09``.

    The same request always finds its own folder again; the hash at the end tells apart those that differ
    in anything else. Read for the name where present: `board`, `sram_bytes`, `family`, `data`, `seed`.
    """
    text = json.dumps(_plain(request), sort_keys=True)
    words = [
        _slug(request.get("board")),
        _short_size(request.get("sram_bytes")),
        _slug(request.get("family")),
        _slug(request.get("data")),
        f"s{request['seed']}" if "seed" in request else "",
        hashlib.blake2b(text.encode(), digest_size=3).hexdigest(),
    ]
    return Path(root) / "-".join(filter(None, words))


def read_json(path: Path) -> Any:
    """The plain data in the file `path`.

    Raises:
        RunError: it is absent, cannot be read, or is damaged.
    """
    with disk_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except ValueError as error:
        raise RunError(f"'{path}' is damaged ({error}): start anew in another folder with --run") from error


def read_object(path: Path) -> dict[str, Any]:
    """`read_json` of a file that holds fields by name, as nearly all of a run do.

    Raises:
        RunError: as there, or it holds something else.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise RunError(f"'{path}' is damaged (it is not an object): start anew in another folder with --run")
    return found


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what a damaged record makes of the reading of it into one sentence.

    Raises:
        RunError: the record called `name` lacks something, or has it in another kind.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        what = f"{type(failure).__name__}: {failure}"
        raise RunError(f"'{name}' of the run is damaged ({what}): delete it to have it made again") from None


def is_run(folder: Path) -> bool:
    """Whether `folder` is the folder of a run."""
    return (folder / REQUEST).is_file()


def require_run_or_empty(folder: Path) -> None:
    """Refuses to write among things that are not ours.

    Raises:
        RunError: `folder` is a file, or holds other things than a run.
    """
    with disk_errors(folder):
        if folder.is_symlink() and not folder.exists():
            raise RunError(f"'{folder}' is a link to nowhere: name another folder with --run")
        if not folder.exists() or is_run(folder):
            return
        if not folder.is_dir():
            raise RunError(f"'{folder}' is a file, and a run needs a folder: name another one with --run")
        names = sorted(p.name for p in folder.iterdir())
    others = [name for name in names if name != LOCK and not name.startswith(PARTIAL)]
    if others:
        raise RunError(
            f"'{folder}' is not a run but holds other things, such as '{others[0]}': "
            "name a new or empty folder with --run"
        )


def _require_same(folder: Path, there: Any, here: Any) -> None:
    if not isinstance(there, dict):
        raise RunError(f"'{folder / REQUEST}' is damaged: start anew in another folder with --run")
    old, new = _flat(there), _flat(here)
    absent = "nothing"
    differing = [
        f"{name}: {json.dumps(old[name]) if name in old else absent} there, "
        f"{json.dumps(new[name]) if name in new else absent} here"
        for name in [*old, *(name for name in new if name not in old)]
        if name not in old or name not in new or old[name] != new[name]
    ]
    if differing:
        raise RunError(
            f"'{folder}' belongs to another request ({'; '.join(differing)}): "
            "ask for the same again, or name another folder with --run"
        )


def _plain(value: object) -> Any:
    """`value` as it would come back from a file, so that tuples equal lists."""
    return json.loads(json.dumps(value, allow_nan=False))


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by dotted name."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict) and item:
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[prefix + name] = item
    return flat


def _slug(value: object) -> str:
    """A name or the last part of a path, in letters a file name takes anywhere."""
    name = Path(str(value)).name.removesuffix(".json").removesuffix(".npz") if value is not None else ""
    return re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-.")[:40]


def _short_size(value: object) -> str:
    if not isinstance(value, int):
        return ""
    return f"{value // 1024}k" if value % 1024 == 0 else f"{value}b"
