"""How many processor threads a training uses: sums over several threads may differ in their last bits."""

from __future__ import annotations

import keras

from tinynas.errors import RunError


def use_threads(count: int) -> None:
    """Train with `count` threads in this process; only the first call of a process can set it.

    JAX takes what the machine has: for it nothing is done.

    Raises:
        RunError: TensorFlow has begun with another number already.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        _use_tensorflow_threads(count)
    elif backend == "torch":
        import torch

        torch.set_num_threads(count)


def _use_tensorflow_threads(count: int) -> None:
    from tensorflow import config

    try:
        config.threading.set_intra_op_parallelism_threads(count)
        config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise RunError(
            f"TensorFlow runs in this process already, with other than {count} threads: start a new one"
        ) from error
