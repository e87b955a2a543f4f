"""What was predicted, built and measured of a firmware, in words: of `build`, `measure`, `deploy`, `show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console

from tinynas.cli.console import make_table, percent, print_facts, print_table, say
from tinynas.report.memory_table import SOURCES, MemoryRow, memory_rows
from tinynas.units import format_count, format_size


def print_findings(console: Console, found: Mapping[str, Any], *, layers: bool = False) -> None:
    """All that `found` holds: a built firmware's figures, a board's, or both; `layers` adds its operators."""
    facts = [*_firmware(found), *_board(found), *_speed(found), *_memory(found), *_checks(found)]
    print_facts(console, facts)
    _print_memories(console, found)
    if "goals" in found:
        say(console)
        print_goals(console, found["goals"], found["optimize"])
    if found.get("flash_prediction", "exact") != "exact":
        say(console, f"code was predicted {found['flash_prediction']}")
    if layers and found.get("cycles_by_operator"):
        say(console)
        _print_layers(console, found)


def print_goals(console: Console, goals: Iterable[Mapping[str, Any]], chosen: str) -> None:
    """What every goal of ``--optimize`` would cost and bring, beside the `chosen` one."""
    goals = list(goals)
    timed = any(goal.get("modelled_ms") is not None for goal in goals)
    columns = ("arena", "flash", "instructions (modelled)", *(("ms (modelled)",) if timed else ()))
    table = make_table(("--optimize",), columns, ("",))
    for goal in goals:
        is_chosen = goal["optimize"] == chosen
        table.add_row(
            goal["optimize"],
            f"{goal['arena_bytes']:,} B",
            f"{goal['flash_bytes']:,} B",
            format_count(goal["modelled_instructions"]),
            *((f"{goal['modelled_ms']:.2f}",) if timed else ()),
            "<- chosen" if is_chosen else "",
            style="bold" if is_chosen else None,
        )
    print_table(console, table)


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
    """One column for each way that figures are known by here."""
    rows = memory_rows(found)
    shown = [key for key in SOURCES if any(getattr(row, key) is not None for row in rows)]
    table = make_table(("memory",), [SOURCES[key] for key in shown])
    for row in rows:
        name = row.name if row.is_whole or row.name.startswith(".") else f"  {row.name}"
        table.add_row(name, *(_size(row, key) for key in shown))
    say(console)
    print_table(console, table)


def _size(row: MemoryRow, key: str) -> str:
    """Bytes; of a prediction that the ELF file does not bear out its error, too."""
    size: int | None = getattr(row, key)
    if size is None:
        return "-"
    text = format_size(size) if row.is_whole else f"{size:,} B"
    return text if key != "predicted" or row.error is None else f"{text}, {100 * row.error:+.1f} %"


def _print_layers(console: Console, found: Mapping[str, Any]) -> None:
    cycles = found["cycles_by_operator"]
    kinds = found.get("operators") or ["" for _ in cycles]
    table = make_table(("#", "operator"), ("cycles", "share"))
    for index, (kind, spent) in enumerate(zip(kinds, cycles, strict=True)):
        table.add_row(str(index), kind, f"{spent:,}", percent(spent / max(sum(cycles), 1)))
    print_table(console, table)
