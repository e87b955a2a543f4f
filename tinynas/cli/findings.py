"""What was predicted, built and measured of a firmware, in words: of `build`, `measure`, `deploy`, `show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from tinynas.cli.console import make_table, percent, print_facts, say
from tinynas.units import format_size

#: how figures are known, in the order of the columns
_SOURCES = (("predicted", "predicted"), ("elf", "in the ELF"), ("board", "on the board"))
#: memories, each followed by its parts
_MEMORIES = {"sram_bytes": "SRAM", "flash_bytes": "flash"}
_PARTS = {
    "sram_bytes": {
        "arena_bytes": "network's arena",
        "stack_bytes": "stack",
        "variables_bytes": "firmware's variables",
    },
    "flash_bytes": {
        "constants_bytes": "network's constants",
        "engine_bytes": "engine's code",
        "golden_bytes": "golden vectors",
        "firmware_bytes": "rest of the firmware",
    },
}
#: sections that the ELF names and the board tells of itself
_SECTIONS = {".text": "text", ".rodata": "rodata", ".data": "data", ".bss": "bss"}


def print_findings(console: Console, found: Mapping[str, Any], *, layers: bool = False) -> None:
    """All that `found` holds: a built firmware's figures, a board's, or both; `layers` adds its operators."""
    facts = [*_firmware(found), *_board(found), *_speed(found), *_memory(found), *_checks(found)]
    print_facts(console, facts)
    _print_memories(console, found)
    if layers and found.get("cycles_by_operator"):
        say(console)
        _print_layers(console, found)


def _firmware(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", str(found["model"])
    if "elf" in found:
        yield "firmware", f"{found['elf']} ({found['environment']})"
    if "optimize" in found:  # older records name no goal
        yield "optimized", f"for {found['optimize']}"


def _board(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "clock_hz" not in found:
        return
    on = [name for name, is_on in found["caches"].items() if is_on]
    caches = f"caches: {', '.join(on)}" if on else "no cache"
    megahertz = found["clock_hz"] / 1e6
    yield "board", f"{found['board']} at {megahertz:g} MHz, {found['kernels']} kernels, {caches}"
    yield "compiler", f"{found['compiler']}, build {found['firmware_build']}"
    yield "times", found["times"]


def _speed(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "cycles" not in found:
        return
    cycles = found["cycles"]
    counted = (
        f"{cycles['median']:,} cycles, median of {found['runs']} ({cycles['min']:,} to {cycles['max']:,})"
    )
    if found["latency_ms"] is None:
        yield "latency", f"{counted}; the board does not tell its clock"
        return
    least, most = found["latency_min_ms"], found["latency_max_ms"]
    yield "latency", f"{found['latency_ms']:.3f} ms ({least:.3f} to {most:.3f})"
    yield "", counted


def _memory(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "memory" not in found:
        return
    memory = found["memory"]
    used, stack = memory["stack_used"], memory["stack"]
    yield "stack used", "unknown" if used is None else f"{used:,} of {stack:,} B"
    yield "heap", f"{memory['heap']:,} B"


def _checks(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "self_check_vectors" in found:
        yield "self-check", f"passed ({found['self_check_vectors']} vectors in flash)"
    if "samples" in found:
        right = found["samples"] - found["wrong_samples"]
        yield "outputs", f"{right} of {found['samples']} samples give TensorFlow Lite Micro's bytes"
        if found["accuracy_on_board"] is not None:
            pictures = f"{found['samples']} test pictures"
            yield "accuracy", f"{percent(found['accuracy_on_board'], 2)} on the board ({pictures})"


def _print_memories(console: Console, found: Mapping[str, Any]) -> None:
    """One column for each way that figures are known by here: memories with their parts, then sections."""
    parts = found.get("parts") or {"arena_bytes": found["arena_bytes"]}  # all that older records have
    rows = [
        row
        for memory, title in _MEMORIES.items()
        for row in [
            (title, found.get(memory, {})),
            *((f"  {name}", parts.get(part, {})) for part, name in _PARTS[memory].items()),
        ]
    ]
    rows += [(section, _section(found, section, field)) for section, field in _SECTIONS.items()]
    told = [(name, row) for name, row in rows if any(size is not None for size in row.values())]
    shown = [(key, title) for key, title in _SOURCES if any(row.get(key) is not None for _, row in told)]
    table = make_table(("memory",), [title for _, title in shown])
    for name, row in told:
        table.add_row(name, *(_size(row, key, name in _MEMORIES.values()) for key, _ in shown))
    say(console)
    console.print(table)


def _section(found: Mapping[str, Any], section: str, field: str) -> dict[str, int | None]:
    """Of the ELF file and of the board; nothing where it is empty."""
    told = {
        "elf": found.get("firmware", {}).get("sections", {}).get(section),
        "board": found.get("memory", {}).get(field),
    }
    return told if any(told.values()) else {}


def _size(row: Mapping[str, int | None], key: str, is_whole: bool) -> str:
    """Bytes; of a prediction that the ELF file does not bear out its error, too."""
    size, linked = row.get(key), row.get("elf")
    if size is None:
        return "-"
    text = format_size(size) if is_whole else f"{size:,} B"
    if key != "predicted" or not linked or size == linked:
        return text
    return f"{text}, {100 * (size - linked) / linked:+.1f} %"


def _print_layers(console: Console, found: Mapping[str, Any]) -> None:
    cycles = found["cycles_by_operator"]
    kinds = found.get("operators") or ["" for _ in cycles]
    table = make_table(("#", "operator"), ("cycles", "share"))
    for index, (kind, spent) in enumerate(zip(kinds, cycles, strict=True)):
        table.add_row(str(index), kind, f"{spent:,}", percent(spent / max(sum(cycles), 1)))
    console.print(table)
