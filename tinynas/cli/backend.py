"""Which of Keras' backends trains, decided before anything imports Keras."""

from __future__ import annotations

import importlib.util
import os

from tinynas.errors import RequestError

#: a backend's name, and how to install what it needs
BACKENDS = {
    "tensorflow": "pip install tensorflow-cpu",
    "jax": "pip install 'tinynas[jax]'",
    "torch": "pip install 'tinynas[torch]'",
}
_VARIABLE = "KERAS_BACKEND"


def choose_backend(asked: str | None) -> str:
    """Sets Keras' backend to the one `asked` for, else to what KERAS_BACKEND says, else to tensorflow.

    Raises:
        RequestError: there is no such backend, or its package is not installed.
    """
    backend = (asked or os.environ.get(_VARIABLE) or "tensorflow").lower()
    if backend not in BACKENDS:
        source = "--backend" if asked else _VARIABLE
        raise RequestError(f"{source} '{backend}' cannot train: choose {', '.join(BACKENDS)}")
    if importlib.util.find_spec(backend) is None:
        raise RequestError(f"the backend {backend} is not installed: {BACKENDS[backend]}")
    os.environ[_VARIABLE] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return backend
