"""``edges.on_block`` as a native hook: compiled by numba, calling Unicorn's own functions. Imported only with
numba.

What was compiled is kept in the user's cache folder, since compiling takes seconds. Numba does not notice a
change of what a cached function calls, so the folder's name has the hash of all that is compiled.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import carray, cfunc, njit, types  # type: ignore[attr-defined]
from unicorn.unicorn_py3.unicorn import uclib

from tinynas.device.virtual import edges

_UC_HOOK_BLOCK = 8


def _cache_folder() -> str:
    sources = (Path(__file__), Path(str(edges.__file__)))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(home / "tinynas" / f"virtual-{digest}")


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]
_LENGTH, _MOVED, _STACK_POINTER = edges.LENGTH, edges.STACK_MOVED, edges.STACK_POINTER
_MISSING_SIZE, _VALUES, _TOUCH, _SP = edges.MISSING_SIZE, edges.VALUES, edges.TOUCH, edges.ARM_REG_SP
_REGISTERS = np.array(edges.REGISTER_IDS, dtype=np.int32)

# compiled code finds Unicorn's functions by name, once its library's names are visible to all
ctypes.CDLL(uclib._name, ctypes.RTLD_GLOBAL)
_stop: Any = types.ExternalFunction("uc_emu_stop", types.int32(types.voidptr))
_read: Any = types.ExternalFunction("uc_reg_read", types.int32(types.voidptr, types.int32, types.voidptr))
_load: Any = types.ExternalFunction(
    "uc_mem_read", types.int32(types.voidptr, types.uint64, types.voidptr, types.uint64)
)
_count: Any = njit(edges.on_block, cache=True)
_program_at: Any = njit(edges.program_at, cache=True)
_address_of: Any = njit(edges.address_of, cache=True)
_look_up: Any = njit(edges.look_up, cache=True)
_hook_type: Any = types.void(types.voidptr, types.uint64, types.uint32, types.voidptr)


@cfunc(_hook_type, cache=True)
def _hook(uc: Any, address: Any, size: Any, user: Any) -> None:
    state = carray(user, (_LENGTH,), np.int64)
    if state[_MOVED]:
        _read(uc, _SP, state[_STACK_POINTER:].ctypes)
    if _count(state, np.int64(address)):
        state[_MISSING_SIZE] = size
        _stop(uc)
        return
    program = _program_at(state)
    if program:
        slots = state[program]
        for place in range(program + 1, program + 1 + slots):
            _read(uc, _REGISTERS[state[place]], state[_VALUES + state[place] :].ctypes)
        start = program + 2 + slots
        for touch in range(start, start + _TOUCH * state[start - 1], _TOUCH):
            where = _address_of(state, touch)
            _look_up(state, where, state[touch + 4], state[touch + 5])
            if state[touch + 6] >= 0:
                kept = _VALUES + state[touch + 6]
                state[kept] = 0
                _load(uc, np.uint64(where), state[kept:].ctypes, np.uint64(4))


def hook_blocks(uc: Any, state: Any) -> None:
    """Has ``state`` (an int64 array, which must outlive ``uc``) count every block of the Unicorn instance."""
    handle = ctypes.c_size_t()
    status = uclib.uc_hook_add(
        uc._uch,
        ctypes.byref(handle),
        _UC_HOOK_BLOCK,
        ctypes.c_void_p(_hook.address),
        ctypes.c_void_p(state.ctypes.data),
        ctypes.c_uint64(1),
        ctypes.c_uint64(0),
    )
    if status:
        raise RuntimeError(f"Unicorn refuses a hook (error {status})")
