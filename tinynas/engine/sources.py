"""The engine's own C files: where they are, and which of them a set of kernels needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from tinynas.errors import TinynasError
from tinynas.resources import resource

_INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
#: a function with external linkage that begins here
_DEFINITION = re.compile(r"^(?!static|typedef|TN_INLINE)\w[\w ]*\*?\b(tn_\w+)\([^;{]*\)\s*\{", re.MULTILINE)
#: ... that is only said to be there
_DECLARATION = re.compile(r"^\w[\w ]*\*?\s*\*?\btn_\w+\([^;{]*\);", re.MULTILINE)
_NAME = re.compile(r"\btn_\w+")
#: headers a model's own file includes
INTERFACES = ("tinynas_engine.h", "tinynas_kernels.h")
_SCHEDULER = "tn_run"


def sources_for(functions: Iterable[str]) -> dict[str, str]:
    """Text by file name of all C files that `functions` (C names) and the scheduler need.

    Raises:
        TinynasError: the engine's sources are not where the installation puts them, or lack a function.
    """
    texts, homes = _engine(), _homes()
    wanted = {*functions, _SCHEDULER}
    if missing := sorted(wanted - homes.keys()):
        raise TinynasError(f"the engine's sources lack {', '.join(missing)}: install tinynas again")
    needed: set[str] = set()
    waiting = [*INTERFACES, *(homes[name] for name in sorted(wanted))]
    while waiting:
        file = waiting.pop()
        if file in needed:
            continue
        needed.add(file)
        waiting += [other for other in _INCLUDE.findall(texts[file]) if other in texts]
        if file not in INTERFACES:  # which name every kernel
            used = _NAME.findall(_DECLARATION.sub("", _bare(texts[file])))
            waiting += [homes[name] for name in used if name in homes]
    return {file: texts[file] for file in sorted(needed)}


def engine_files() -> frozenset[str]:
    """The names of all the engine's files, which a model's own may not have."""
    return frozenset(_engine())


def engine_functions() -> frozenset[str]:
    """The names of all the engine's functions that other files may call."""
    return frozenset(_homes())


@cache
def _homes() -> dict[str, str]:
    """The file of each function."""
    return {name: file for file, text in _engine().items() for name in _DEFINITION.findall(_bare(text))}


def _bare(text: str) -> str:
    return _COMMENT.sub("", text)


@cache
def _engine() -> dict[str, str]:
    folder = resource("firmware/engine")
    files = sorted((*folder.glob("*.c"), *folder.glob("*.h")))
    return {file.name: file.read_text(encoding="utf-8") for file in files}
