"""The deepest stack that a call of one function can need, from what gcc says of each function.

gcc writes with `-fstack-usage -fcallgraph-info=su` every function's own stack and whom it calls. A call
through a pointer can, in the engine, only reach the kernels that the network names. Functions of the
compiler's libraries come without such a file: theirs is read from the disassembly.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cores.build import Firmware

_OBJDUMP = "arm-none-eabi-objdump"
_INDIRECT = "__indirect_call"
_NODE = re.compile(r'node: \{ title: "(?P<title>[^"]*)" label: "(?P<label>[^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "(?P<source>[^"]*)" targetname: "(?P<target>[^"]*)"')
_USAGE = re.compile(r"\\n(\d+) bytes \(([^)]*)\)")
_HEADER = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_CALL = re.compile(r"\t(?:bl|b|b\.w|b\.n)\t[0-9a-f]+ <([^>+]+)>")
_REGISTERS = re.compile(r"\t(?:push|stmdb\tsp!,|vpush|vstmdb\tsp!,)\s*\{([^}]*)\}")
_MOVES = re.compile(r"\t(?:sub(?:\.w|w)?\tsp, (?:sp, )?#(\d+)|str[hb]?(?:\.w)?\t\w+, \[sp, #-(\d+)\]!)")


@dataclass(frozen=True)
class Function:
    """Bytes of stack of its own, and whom it calls."""

    own: int
    calls: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Bound:
    """The deepest stack in bytes, and the functions on the way there, outermost first."""

    bytes: int
    path: tuple[str, ...]


def stack_bound(firmware: Firmware, entry: str, kernels: Iterable[str]) -> Bound:
    """The bound for a call of `entry`, where every call through a pointer may reach any of `kernels`.

    Raises:
        ValueError: a function calls itself over others, or has no bound of its own.
    """
    functions = {**_library_functions(firmware), **_compiled_functions(firmware)}
    functions[_INDIRECT] = Function(0, frozenset(kernels))
    return _deepest(functions, entry, ())


def _deepest(functions: Mapping[str, Function], name: str, above: tuple[str, ...]) -> Bound:
    if name in above:
        raise ValueError(f"the stack has no bound: {' -> '.join((*above, name))}")
    # a name that is in no object is a builtin that gcc expanded in place
    function = functions.get(name, Function(0))
    below = (_deepest(functions, callee, (*above, name)) for callee in sorted(function.calls))
    worst = max(below, key=lambda bound: bound.bytes, default=Bound(0, ()))
    return Bound(function.own + worst.bytes, (name, *worst.path) if name != _INDIRECT else worst.path)


def _compiled_functions(firmware: Firmware) -> dict[str, Function]:
    functions: dict[str, Function] = {}
    for path in firmware.objects.glob("*.ci"):
        text = path.read_text()
        calls: dict[str, set[str]] = {}
        for edge in _EDGE.finditer(text):
            calls.setdefault(edge["source"], set()).add(edge["target"])
        for node in _NODE.finditer(text):
            usage = _USAGE.search(node["label"])
            if usage is None:
                continue
            if usage[2] == "dynamic":
                raise ValueError(f"the stack of {node['title']} has no bound")
            functions[node["title"]] = Function(int(usage[1]), frozenset(calls.get(node["title"], ())))
    return functions


def _library_functions(firmware: Firmware) -> dict[str, Function]:
    """Every function of the ELF as its instructions show it: what each pushes, each at most once."""
    listing = subprocess.run(
        [_OBJDUMP, "-d", "--no-show-raw-insn", str(firmware.elf)], capture_output=True, text=True, check=True
    ).stdout
    own: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    name = ""
    for line in listing.splitlines():
        if header := _HEADER.match(line):
            name = header[1]
            own[name], calls[name] = 0, set()
        elif name:
            own[name] += _pushed(line)
            calls[name] |= {call for call in _CALL.findall(line) if call != name}
    functions = {name: Function(own[name], frozenset(calls[name])) for name in own}
    # several names may stand for one address, of which the listing shows one
    shown = {address: name for name, (address, _) in firmware.symbols().items() if name in functions}
    aliases = {name: functions[shown[a]] for name, (a, _) in firmware.symbols().items() if a in shown}
    return {**functions, **aliases}


def _pushed(line: str) -> int:
    """Bytes by which one instruction lowers the stack pointer."""
    if registers := _REGISTERS.search(line):
        each = 8 if "{d" in line else 4
        return each * sum(_range_length(part.strip()) for part in registers[1].split(","))
    moves = _MOVES.search(line)
    return int(moves[1] or moves[2]) if moves else 0


def _range_length(registers: str) -> int:
    first, _, last = registers.partition("-")
    return int(last[1:]) - int(first[1:]) + 1 if last else 1
