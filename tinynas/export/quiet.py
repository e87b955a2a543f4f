"""Keeps TensorFlow's C++ chatter off the terminal, so that a progress bar stays whole."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Whatever this process writes to standard error meanwhile goes to a temporary file.

    C++ writes to the file descriptor itself, so that is what is turned aside; Python warnings are off too.
    If the body raises, the exception gets the last lines as a note: chatter that explains it is not lost.
    """
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    with tempfile.TemporaryFile() as aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(aside.fileno(), _STDERR)
        try:
            yield
        except Exception as error:
            aside.seek(0)
            error.add_note(aside.read().decode(errors="replace")[-2000:])
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STDERR)
            os.close(kept)
