"""Boards and budgets: what a microcontroller has, and how much of it a network may take.

A board is one JSON file in PlatformIO's board-manifest format, so that ``pio`` reads the very same
file, plus a ``tinynas`` section with what a manifest leaves out: memory regions, core, DSP, caches
and the UART. The catalogue lies in ``boards/`` of a checkout, which a wheel carries inside;
a user's own file is as good as one of ours.

Everything is checked on loading: a board whose parts contradict each other would make every
later "it fits" worthless.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tinynas.errors import BoardError, RequestError
from tinynas.resources import resource
from tinynas.units import format_size, parse_milliseconds, parse_rate, parse_size

#: of RAM, reserved for the stack; the firmware and every kernel together use less than half of it
STACK_BYTES = 4096
#: enough for .data and .bss of the firmware without the arena
_MOST_VARIABLES = 2048

RegionKind = Literal["flash", "sram", "dtcm", "itcm", "cache"]
CachePlace = Literal["core", "flash", "none"]

_REGION_KINDS: tuple[RegionKind, ...] = ("flash", "sram", "dtcm", "itcm", "cache")
_CACHE_PLACES: tuple[CachePlace, ...] = ("core", "flash", "none")


@dataclass(frozen=True)
class Region:
    """A stretch of the address space; ``arena`` marks those that together hold a network's tensors.

    ``kind`` says what the memory is: ``flash``; ``sram`` behind a bus; ``dtcm``/``itcm``, coupled
    to the core and never cached; ``cache``, memory given up to a cache and unusable for data.
    """

    name: str
    kind: RegionKind
    origin: int
    size_bytes: int
    arena: bool

    @property
    def end(self) -> int:
        """The first address after the region."""
        return self.origin + self.size_bytes


@dataclass(frozen=True)
class Caches:
    """What speeds up reads: ``core`` caches every cacheable memory, ``flash`` only what flash gives.

    Where the two counts name one unified cache (RP2040) both state its whole size.
    ``line_bytes`` is None where the vendor does not publish it.
    """

    where: CachePlace = "none"
    icache_bytes: int = 0
    dcache_bytes: int = 0
    line_bytes: int | None = None


@dataclass(frozen=True)
class Uart:
    """The serial line that reaches the user's computer: peripheral, pins and bits a second."""

    peripheral: str
    tx: str
    rx: str
    baud: int


@dataclass(frozen=True)
class Board:
    """A microcontroller board as its datasheets state it; sizes in bytes, the clock in Hz.

    ``sram_bytes`` is one contiguous stretch: the regions with ``arena`` set. ``dsp`` is Arm's DSP
    extension (the 16-bit SIMD multiplies CMSIS-NN is written for); ``fpu`` is the compiler's name
    of the floating-point unit, None without one. ``uart`` is None where the file names none.
    """

    id: str
    name: str
    vendor: str
    mcu: str
    core: str
    dsp: bool
    fpu: str | None
    clock_hz: int
    sram_bytes: int
    flash_bytes: int
    regions: tuple[Region, ...]
    caches: Caches
    uart: Uart | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for ``--json``; keys carry their units."""
        plain = asdict(self)
        return plain | {"regions": list(plain["regions"])}


@dataclass(frozen=True)
class Budget:
    """How much of a board one network with its runtime may take, in bytes, and how long an inference.

    `latency_ms` is None where time does not matter.
    """

    sram_bytes: int
    flash_bytes: int
    latency_ms: float | None = None


def board_ids() -> tuple[str, ...]:
    """The names of the catalogue's boards, sorted."""
    return tuple(sorted(file.stem for file in _catalogue().glob("*.json")))


def load_board(name_or_path: str) -> Board:
    """The board of that name in the catalogue, or the one a file ending in ``.json`` describes.

    Raises:
        BoardError: no such board or file, or the file is not a sound description of a board.
    """
    if name_or_path.lower().endswith(".json"):
        return _read_board(Path(name_or_path).expanduser())
    name = name_or_path.strip().lower()
    if name not in board_ids():
        raise BoardError(_unknown(name_or_path, name))
    return _read_board(_catalogue() / f"{name}.json")


def make_budget(
    board: Board,
    sram: str | None = None,
    flash: str | None = None,
    latency: str | None = None,
    fps: str | None = None,
) -> Budget:
    """The sizes asked for (``320k``, ``1m``, bytes), or all that the board has where none is given.

    `latency` (``100ms``) or `fps`, inferences a second, bound the time where one is given.

    Raises:
        RequestError: a size, time or rate is malformed, a size more than the board has, or both are given.
    """
    if latency is not None and fps is not None:
        raise RequestError("--latency and --fps bound the same time: give one of them")
    milliseconds = parse_rate(fps) if fps is not None else None
    return Budget(
        sram_bytes=_share(board.id, "SRAM", sram, board.sram_bytes),
        flash_bytes=_share(board.id, "flash", flash, board.flash_bytes),
        latency_ms=milliseconds if latency is None else parse_milliseconds(latency),
    )


def coupled_ram(board: Board, arena_bytes: int, stack_bytes: int = STACK_BYTES) -> Region | None:
    """The core's own memory, beside the RAM for arenas, if firmware with such an arena fits in there."""
    return next((own for own, most in coupled_rooms(board, stack_bytes) if arena_bytes <= most), None)


def coupled_rooms(board: Board, stack_bytes: int = STACK_BYTES) -> list[tuple[Region, int]]:
    """The core's own memories beside the RAM for arenas, each with the largest arena that fits in there."""
    own = [region for region in board.regions if region.kind == "dtcm" and not region.arena]
    return [(region, region.size_bytes - stack_bytes - _MOST_VARIABLES) for region in own]


def facts_digest(board: Board) -> str:
    """A fingerprint of a board's facts: a user's edited board file makes another request."""
    facts = json.dumps(board.to_dict(), sort_keys=True)
    return hashlib.blake2b(facts.encode(), digest_size=4).hexdigest()


def _share(board_id: str, memory: str, asked: str | None, available: int) -> int:
    if asked is None:
        return available
    size = parse_size(asked)
    if size > available:
        raise RequestError(
            f"{board_id} has {format_size(available)} of {memory}; "
            f"ask for at most that, not {format_size(size)}"
        )
    return size


@cache
def _catalogue() -> Path:
    return resource("boards")


def _unknown(asked: str, name: str) -> str:
    # two, because a wrong digit is as near to stm32f746 as to stm32f767
    near = sorted(difflib.get_close_matches(name, board_ids(), n=2, cutoff=0.6))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"there is no board '{asked}': {hint}`tinynas boards` lists all of them, "
        "and your own is a path ending in .json"
    )


@dataclass(frozen=True)
class _Node:
    """One JSON object of a board file, which knows where it stands so that errors can say so."""

    file: Path
    where: str
    fields: Mapping[str, Any]

    def error(self, key: str, problem: str) -> BoardError:
        return BoardError(f"{self.file}: '{self.where}{key}' {problem}; correct the board file")

    def _typed(self, key: str, wanted: str, accepts: Callable[[Any], bool]) -> Any:
        if key not in self.fields:
            raise self.error(key, f"is missing and must be {wanted}")
        value = self.fields[key]
        if not accepts(value):
            raise self.error(key, f"is {json.dumps(value)[:60]} and must be {wanted}")
        return value

    def text(self, key: str) -> str:
        value = self._typed(key, "a text that is not empty", lambda v: isinstance(v, str) and bool(v.strip()))
        return str(value)

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, "true or false", lambda v: isinstance(v, bool)))

    def count(self, key: str, least: int = 1) -> int:
        wanted = f"a whole number of at least {least}"
        return int(self._typed(key, wanted, lambda v: type(v) is int and v >= least))

    def choice(self, key: str, options: tuple[Any, ...]) -> Any:
        return self._typed(key, f"one of {', '.join(options)}", lambda v: isinstance(v, str) and v in options)

    def address(self, key: str) -> int:
        """An address is written as hexadecimal text, as in every memory map."""
        text = self._typed(key, 'an address such as "0x20000000"', lambda v: isinstance(v, str))
        try:
            return int(text, 16)
        except ValueError:
            raise self.error(key, f'is "{text}" and must be an address such as "0x20000000"') from None

    def child(self, key: str) -> _Node:
        value = self._typed(key, "an object", lambda v: isinstance(v, dict))
        return _Node(self.file, f"{self.where}{key}.", value)

    def children(self, key: str) -> list[_Node]:
        values = self._typed(
            key,
            "a list of objects that is not empty",
            lambda v: isinstance(v, list) and bool(v) and all(isinstance(item, dict) for item in v),
        )
        return [_Node(self.file, f"{self.where}{key}[{i}].", item) for i, item in enumerate(values)]


def _read_board(file: Path) -> Board:
    root = _Node(file, "", _read_json(file))
    build, upload, ours = root.child("build"), root.child("upload"), root.child("tinynas")
    board = Board(
        id=file.stem,
        name=root.text("name"),
        vendor=root.text("vendor"),
        mcu=build.text("mcu"),
        core=ours.text("core"),
        dsp=ours.flag("dsp"),
        fpu=ours.text("fpu") if ours.fields.get("fpu") is not None else None,
        clock_hz=ours.count("clock_hz"),
        sram_bytes=upload.count("maximum_ram_size"),
        flash_bytes=upload.count("maximum_size"),
        regions=tuple(_region(node) for node in ours.children("regions")),
        caches=_caches(ours.child("caches")) if "caches" in ours.fields else Caches(),
        uart=_uart(ours.child("uart")) if "uart" in ours.fields else None,
    )
    _check_build(build, board)
    _check_memory(ours, upload, board)
    return board


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BoardError(f"there is no board file {file}: check the path") from None
    except OSError as failure:
        raise BoardError(f"board file {file} cannot be read ({failure.strerror}): check the path") from None
    except ValueError as failure:  # malformed JSON, or bytes that are not UTF-8
        raise BoardError(f"board file {file} is not valid JSON ({failure}): correct it") from None
    if not isinstance(content, dict):
        raise BoardError(f"board file {file} must hold one JSON object: write it like those in boards/")
    return content


def _region(node: _Node) -> Region:
    return Region(
        name=node.text("name"),
        kind=node.choice("kind", _REGION_KINDS),
        origin=node.address("origin"),
        size_bytes=node.count("size_bytes"),
        arena=node.flag("arena"),
    )


def _caches(node: _Node) -> Caches:
    return Caches(
        where=node.choice("where", _CACHE_PLACES),
        icache_bytes=node.count("icache_bytes", least=0),
        dcache_bytes=node.count("dcache_bytes", least=0),
        line_bytes=node.count("line_bytes") if node.fields.get("line_bytes") is not None else None,
    )


def _uart(node: _Node) -> Uart:
    return Uart(node.text("peripheral"), node.text("tx"), node.text("rx"), node.count("baud"))


def _check_build(build: _Node, board: Board) -> None:
    """PlatformIO's own fields must tell the same story as ours: firmware is built from theirs."""
    written = build.text("f_cpu")
    if written.removesuffix("L") != str(board.clock_hz):
        raise build.error("f_cpu", f'is "{written}" but tinynas.clock_hz is {board.clock_hz}')
    if "cpu" in build.fields and build.text("cpu") != board.core:
        raise build.error("cpu", f'is "{build.text("cpu")}" but tinynas.core is "{board.core}"')


def _check_memory(ours: _Node, upload: _Node, board: Board) -> None:
    """Regions do not overlap; those of the arena lie end to end and add up, and so does the flash."""
    by_origin = sorted(board.regions, key=lambda region: region.origin)
    for below, above in pairwise(by_origin):
        if above.origin < below.end:
            raise ours.error("regions", f"has {below.name} overlapping {above.name}")
    arena = [region for region in by_origin if region.arena]
    for below, above in pairwise(arena):
        if above.origin != below.end:
            raise ours.error("regions", f"has a gap in the arena between {below.name} and {above.name}")
    for region in arena:
        if region.kind in ("flash", "itcm", "cache"):
            raise ours.error("regions", f"marks {region.name} as arena, but it is {region.kind}")
    _check_sum(upload, "maximum_ram_size", "arena", arena, board.sram_bytes)
    flash = [region for region in by_origin if region.kind == "flash"]
    _check_sum(upload, "maximum_size", "flash", flash, board.flash_bytes)


def _check_sum(upload: _Node, key: str, what: str, regions: list[Region], stated: int) -> None:
    total = sum(region.size_bytes for region in regions)
    if total != stated:
        raise upload.error(key, f"is {stated:,} but the {what} regions add up to {total:,} bytes")
