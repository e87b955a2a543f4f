"""Fuzzes the .tflite reader and the compiler: whatever the bytes, one clear error or C that is right.

    python benchmarks/fuzz_compiler.py --seconds 1800 [--findings DIR] [--record]
    python benchmarks/fuzz_compiler.py --replay FILE...

libFuzzer (through atheris, `pip install atheris`) drives: coverage of tinynas' own Python decides which
mutants of the seeds are kept. Every input goes the way of `tinynas compile`: read, simplified, planned (for
ram, balanced or speed, by its hash), written as C; and its plan is proven by the checker. Allowed are a
ModelError of one sentence, or success. Everything else is a finding and is saved: another exception, more
than 10 s (a minute for the proof, which compiling does without), more than 4 GiB, a dead process, a plan
the checker refuses. Of the accepted inputs a share runs in the C engine, under the address and undefined
behaviour sanitizers, and must give the bytes of TensorFlow Lite Micro; where that refuses to run the file,
its words are counted. The `slowest_s` of the figures is one input with its proof.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import record

_HERE = Path(__file__).resolve().parent
#: inputs are no longer
_MOST_BYTES = 60_000
#: the share of the time that the oracle may take
_ORACLE_SHARE = 0.4
#: how many accepted inputs are kept to mutate, and how long each may be
_GOOD, _MOST_GOOD = 200, 6000
#: seconds from which on an input is kept to look at
_SLOW = 5.0
#: seconds between two reports of the fuzzing process
_EVERY = 1.0
_COVERAGE = re.compile(r"cov: (\d+)")


def main() -> int:
    """Fuzz, or replay files; 1 if anything was found."""
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("--seconds", type=int, default=60, help="how long to fuzz")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"), help="where findings go")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/fuzz_compiler.json")
    parser.add_argument("--replay", type=Path, nargs="+", help="files to examine instead")
    parser.add_argument("--seed", type=int, default=1, help="libFuzzer's")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.replay:
        return _replay(options.replay)
    try:
        import atheris  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        print("this fuzzer needs atheris, which is not installed: pip install atheris", file=sys.stderr)
        return 2
    if options.child:
        _fuzz(options.child, options.findings, options.seconds, options.seed)
        return 0
    return _supervise(options)


# --- the supervisor ---------------------------------------------------------------------------------------


def _supervise(options: argparse.Namespace) -> int:
    """Run the fuzzing process until the time is up, again wherever it dies."""
    options.findings.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    total: collections.Counter[str] = collections.Counter()
    groups: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    coverage, deaths, peak, seed = 0, 0, 0, options.seed
    with tempfile.TemporaryDirectory(prefix="tinynas-fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        while (left := options.seconds - (time.monotonic() - began)) > 1:
            stats = Path(folder) / f"stats{seed}.json"
            log = options.findings / "libfuzzer.log"
            command = [sys.executable, __file__, "--child", str(stats), "--findings", str(options.findings)]
            with log.open("wb") as words:
                done = subprocess.run(
                    [*command, "--seconds", str(int(left)), "--seed", str(seed)],
                    stdout=words, stderr=subprocess.STDOUT, check=False,
                )  # fmt: skip
            said = log.read_text(errors="replace")
            coverage = max([coverage, *map(int, _COVERAGE.findall(said))])
            figures = json.loads(stats.read_text()) if stats.exists() else {}
            total.update(figures.get("counts", {}))
            for name, kinds in figures.get("kinds", {}).items():
                groups[name].update(kinds)
            peak = max(peak, figures.get("peak_memory_bytes", 0))
            if done.returncode:
                deaths += 1
                groups["findings"][f"the process died: {said.strip().splitlines()[-1:]}"] += 1
                if not figures.get("counts", {}).get("executions"):
                    print(said[-4000:], file=sys.stderr)
                    return 1
            seed += 1
    seconds = time.monotonic() - began
    found = sum(groups["findings"].values())
    figures = {
        "seconds": round(seconds),
        **{key: total[key] for key in ("executions", "accepted", "refused")},
        "coverage_edges": coverage,
        "refusal_kinds": len(groups["refusals"]),
        "compared_with_tflm": dict(groups["oracle"].most_common()),
        "tflm_refusals_of_accepted": dict(groups["laxer"].most_common(20)),
        "slowest_s": max((float(s) for s in groups["slowest"]), default=0.0),
        "peak_memory_bytes": peak,
        "findings": found,
    }
    _print(figures, groups)
    if options.record:
        record("fuzz_compiler", figures)
    return 1 if found else 0


def _print(figures: dict[str, Any], groups: dict[str, collections.Counter[str]]) -> None:
    for key, value in figures.items():
        print(f"{key:>28}  {value:,}" if isinstance(value, int) else f"{key:>28}  {value}")
    print("\nrefusals")
    for kind, count in groups["refusals"].most_common(40):
        print(f"{count:>9,}  {kind}")
    print("\nfindings")
    for kind, count in groups["findings"].most_common():
        print(f"{count:>9,}  {kind}")


# --- the fuzzing process ----------------------------------------------------------------------------------


class _Statistics:
    """What has happened so far, kept in a file that outlives this process."""

    def __init__(self, path: Path) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.kinds: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.slowest = 0.0
        self._path, self._written = path, 0.0

    def write(self, now: float, peak: int, always: bool = False) -> None:
        if now - self._written < _EVERY and not always:
            return
        self._written = now
        figures = {
            "counts": self.counts,
            "kinds": {**self.kinds, "slowest": {f"{self.slowest:.2f}": 1}},
            "peak_memory_bytes": peak,
        }
        partial = self._path.with_suffix(".part")
        partial.write_text(json.dumps(figures))
        partial.replace(self._path)


class _Campaign:
    """Examines input after input, saves what is wrong, and asks the oracle about some."""

    def __init__(self, stats: Path, findings: Path) -> None:
        from fuzzing.oracle import Oracle

        self.statistics = _Statistics(stats)
        self._findings = findings
        self._oracle = Oracle()
        self._asked = 0.0
        self._began = time.monotonic()
        self._seen: set[str] = set()
        #: the seeds, and later accepted mutants in their place
        self.good: list[bytes] = []

    def examine(self, data: bytes) -> None:
        from fuzzing.target import Finding, Refused, examine, peak_memory

        statistics, start = self.statistics, time.process_time()
        statistics.counts["executions"] += 1
        verdict = examine(data)
        took = time.process_time() - start
        statistics.slowest = max(statistics.slowest, took)
        if took > _SLOW:
            self._save("slow", f"{took:.0f} s", data, "")
        if isinstance(verdict, Finding):
            self._save("findings", verdict.kind, data, verdict.report)
        elif isinstance(verdict, Refused):
            statistics.counts["refused"] += 1
            statistics.kinds["refusals"][verdict.kind] += 1
        else:
            count = statistics.counts["accepted"] = statistics.counts["accepted"] + 1
            if len(data) <= _MOST_GOOD:
                self._keep(data, count)
            now = time.monotonic()
            if self._asked < _ORACLE_SHARE * (now - self._began):
                self._compare(data, verdict)
                self._asked += time.monotonic() - now
        statistics.write(time.monotonic(), peak_memory())

    def _keep(self, data: bytes, count: int) -> None:
        """Mutants that are accepted lead further from the seeds; a part of the seeds stays."""
        if len(self.good) < _GOOD:
            self.good.append(data)
        else:
            self.good[_GOOD // 4 + count % (_GOOD - _GOOD // 4)] = data

    def _compare(self, data: bytes, accepted: Any) -> None:
        from fuzzing.target import name_of

        made = self._oracle.compare(data, accepted, keep_float_io=name_of(data)[0] in "01234567")
        self.statistics.kinds["oracle"][made.outcome] += 1
        if made.outcome in ("different", "crashed"):
            self._save("findings", f"{made.outcome}: {made.words.splitlines()[0][:100]}", data, made.words)
        elif made.outcome in ("refused", "ended", "unchecked"):
            self._save("laxer", f"{made.outcome}: {made.words}", data, made.words)

    def _save(self, group: str, kind: str, data: bytes, report: str) -> None:
        from fuzzing.target import name_of, peak_memory

        self.statistics.kinds[group][kind] += 1
        # libFuzzer may end this process without a word
        self.statistics.write(time.monotonic(), peak_memory(), always=True)
        if kind in self._seen:
            return
        self._seen.add(kind)
        folder = self._findings / group
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name_of(data)}.tflite"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{kind}\n\n{report}\n")


def _fuzz(stats: Path, findings: Path, seconds: int, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["tinynas.graph", "tinynas.engine", "tflite"]):
        import tinynas.engine.emit
        import tinynas.engine.planner
        import tinynas.graph.passes
        import tinynas.graph.tflite  # noqa: F401
    from fuzzing.mutations import mutate
    from fuzzing.seeds import seeds
    from fuzzing.target import limit_memory, peak_memory

    campaign = _Campaign(stats, findings)
    limit_memory()
    with tempfile.TemporaryDirectory(prefix="tinynas-seeds-") as folder:
        for name, data in seeds().items():
            if len(data) <= _MOST_BYTES:
                (Path(folder) / name).write_bytes(data)
                campaign.good.append(data)

        def mutator(data: bytes, most: int, number: int) -> bytes:
            return mutate(data, most, number, campaign.good, atheris.Mutate)

        flags = [
            *(f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_MOST_BYTES}", "-len_control=0"),
            *("-timeout=120", "-rss_limit_mb=3500", "-reload=0", f"-artifact_prefix={findings}/"),
        ]
        atheris.Setup([sys.argv[0], *flags, folder], campaign.examine, custom_mutator=mutator)
        with contextlib.suppress(SystemExit):
            atheris.Fuzz()
        campaign.statistics.write(time.monotonic(), peak_memory(), always=True)


# --- replay -----------------------------------------------------------------------------------------------


def _replay(files: list[Path]) -> int:
    """Say what becomes of each file."""
    from fuzzing.oracle import Oracle
    from fuzzing.target import Accepted, Finding, examine, limit_memory

    oracle, status = Oracle(), 0
    limit_memory()
    for file in files:
        data = file.read_bytes()
        verdict = examine(data)
        if isinstance(verdict, Accepted):
            both = [oracle.compare(data, verdict, keep_float_io=keep) for keep in (False, True)]
            print(f"{file}: accepted; {'; '.join(f'{v.outcome} {v.words}' for v in both)}")
            status |= any(v.outcome in ("different", "crashed") for v in both)
        elif isinstance(verdict, Finding):
            print(f"{file}: {verdict.kind}\n{verdict.report}")
            status = 1
        else:
            print(f"{file}: refused: {verdict.message}")
    oracle.close()
    return int(status)


if __name__ == "__main__":
    sys.path.insert(0, os.fspath(_HERE))
    sys.exit(main())
