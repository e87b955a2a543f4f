"""The result of a search in words: what `search` ends with and `show` repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tinynas.cli.console import part_of, percent, print_facts, say
from tinynas.units import format_milliseconds, format_seconds


def print_result(console: Console, result: Mapping[str, Any], run: Path) -> None:
    """The network found, what it takes, how accurate it is, what was verified, and where it lies."""
    print_facts(
        console,
        [
            ("network", str(result["genotype"])),
            ("space", _space(result)),
            ("MACs", f"{result['macs']:,}"),
            ("parameters", f"{result['params']:,}"),
            ("SRAM (modelled)", part_of(result["sram_bytes"], result["sram_budget_bytes"])),
            ("flash (modelled)", part_of(result["flash_bytes"], result["flash_budget_bytes"])),
            *_latency(result),
            ("test accuracy", _accuracies(result)),
            *(("verified", check) for check in _checks(result)),
            *_time(result),
            ("model", str(run / result["model"])),
        ],
    )
    if result.get("warning"):
        say(console, f"warning: {result['warning']}", style="yellow")


def _space(result: Mapping[str, Any]) -> str:
    """``w0.3-r96 (mobile)``; results from before there were several families name none."""
    return f"{result['space']} ({result['family']})" if "family" in result else str(result["space"])


def _latency(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Results of boards without a model of times, and older ones, have none."""
    time, allowed = result.get("latency_ms"), result.get("latency_budget_ms")
    if time is None:
        return
    share = f", {100 * time / allowed:.0f} % of {format_milliseconds(allowed)}" if allowed else ""
    label = str(result["latency_label"])
    # of a network that a real board ran during the search
    name = "latency (measured)" if label.startswith("measured") else "latency (modelled)"
    yield name, f"{format_milliseconds(time)}{share} ({label})"


def _accuracies(result: Mapping[str, Any]) -> str:
    exact, quantised = result["accuracy_float"], result["accuracy_int8"]
    pictures = f" ({result['test_pictures']:,} pictures)" if "test_pictures" in result else ""
    return f"{percent(exact, 2)} float, {percent(quantised, 2)} int8{pictures}"


def _checks(result: Mapping[str, Any]) -> Iterator[str]:
    """What `tinynas.export.verify` found true; it raises where something is not."""
    yield "the .tflite, read back, is the planned network operator by operator"
    if "engine_arena_bytes" in result:
        yield f"the engine's plan of it, replayed row by row, is right in {result['engine_arena_bytes']:,} B"
    if "head_bytes" in result:
        head = f"{result['head_bytes']:,} B with reference kernels"
        yield f"TensorFlow Lite Micro's activations take {head}, as predicted to the byte"
    if "host_arena_bytes" in result:
        yield f"it runs there in the predicted arena ({result['host_arena_bytes']:,} B on this computer)"
    if "compared_pictures" in result:
        pictures = f"{result['compared_pictures']} test pictures"
        yield f"it gives the reference kernels' outputs there, bit for bit ({pictures})"


def _time(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    stages = result.get("seconds")
    if isinstance(stages, Mapping) and stages:
        parts = ", ".join(f"{stage} {format_seconds(seconds)}" for stage, seconds in stages.items())
        yield "time", f"{format_seconds(sum(stages.values()))} ({parts})"
