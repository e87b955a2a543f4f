"""How fast grouped convolutions train on this CPU in each form, and that all forms compute the same.

    python benchmarks/grouped_training.py [--repeats 5] [--batch 64] [--no-record]

Forward and both gradients of one 3x3 convolution, as in a training step, traced. The forms: TensorFlow's own
grouped kernel (what `tinynas.supernet.grouped` takes where its gradient works), Keras's way (XLA), one dense
convolution with a block-diagonal kernel, one convolution a group, and bundles (what it takes elsewhere;
TF_ENABLE_ONEDNN_OPTS=0 makes this machine such a place). Writes benchmarks/results/grouped_training.json.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from recording import record

#: (side, channels, group width): what X blocks of microcontroller size have
CASES = [
    (32, 16, 8),
    (32, 16, 1),
    (32, 16, 2),
    (32, 32, 8),
    (16, 32, 4),
    (16, 64, 8),
    (16, 64, 16),
    (16, 64, 4),
    (8, 128, 8),
    (8, 128, 16),
    (8, 128, 32),
    (4, 256, 16),
]


def forms(groups: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Each form as a function of a feature map and a kernel."""
    import tensorflow as tf
    from keras import ops

    from tinynas.supernet.grouped import block_diagonal, bundled_conv

    def by_group(x: Any, kernel: Any) -> Any:
        pairs = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([tf.nn.conv2d(a, b, 1, "SAME") for a, b in pairs], -1)

    return {
        "tensorflow": lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"),
        "keras": lambda x, kernel: ops.conv(x, kernel, padding="same"),
        "block_diagonal": lambda x, kernel: ops.conv(x, block_diagonal(kernel, groups), padding="same"),
        "by_group": by_group,
        "bundles": lambda x, kernel: bundled_conv(x, kernel, groups, 1),
    }


def measure(side: int, channels: int, width: int, batch: int, repeats: int) -> dict[str, Any]:
    """Median milliseconds of each form, and its largest difference to TensorFlow's results."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(batch, side, side, channels)), tf.float32)
    kernel = tf.constant(rng.normal(size=(3, 3, width, channels)) / (9 * width) ** 0.5, tf.float32)
    weights = tf.constant(rng.normal(size=x.shape), tf.float32)
    row: dict[str, Any] = {
        "side": side,
        "channels": channels,
        "groups": channels // width,
        "group_width": width,
    }
    expected: list[Any] = []
    for name, form in forms(channels // width).items():

        @tf.function
        def step(x: Any, kernel: Any, form: Callable[[Any, Any], Any] = form) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = form(x, kernel)
                loss = tf.reduce_sum(y * weights)
            return y, *tape.gradient(loss, [x, kernel])

        made = [np.asarray(value) for value in step(x, kernel)]
        expected = expected or made
        seconds = [_seconds(lambda step=step: step(x, kernel)) for _ in range(repeats)]  # type: ignore[misc]
        row[f"{name}_ms"] = round(1000 * float(np.median(seconds)), 2)
        scale = [np.abs(value).max() for value in expected]
        worst = [np.abs(a - b).max() / s for a, b, s in zip(made, expected, scale, strict=True)]
        row[f"{name}_difference"] = float(f"{max(worst):.1e}")
    return row


def _times(rows: list[dict[str, Any]], name: str) -> dict[str, float]:
    """How many times faster than Keras's way a form is: least, median and most of the cases."""
    ratios = [row["keras_ms"] / row[f"{name}_ms"] for row in rows]
    kinds = {"least": min(ratios), "median": float(np.median(ratios)), "most": max(ratios)}
    return {kind: round(ratio, 1) for kind, ratio in kinds.items()}


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()[0].numpy()
    return time.perf_counter() - began


def main() -> None:
    """Measure every case, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--cases", type=int, default=len(CASES), help="only the first so many")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = []
    for case in CASES[: options.cases]:
        row = measure(*case, options.batch, options.repeats)
        rows.append(row)
        times = ", ".join(f"{key[:-3]} {value:g}" for key, value in row.items() if key.endswith("_ms"))
        print(
            f"{row['side']}x{row['side']}x{row['channels']}, {row['groups']} groups: {times} ms", flush=True
        )
    faster = {name: _times(rows, name) for name in ("tensorflow", "bundles")}
    figures = {
        "batch": options.batch,
        "repeats": options.repeats,
        "times_faster_than_keras": faster,
        "largest_difference": max(value for row in rows for key, value in row.items() if "difference" in key),
        "rows": rows,
    }
    print("times faster than Keras's way:", faster, "largest difference", figures["largest_difference"])
    if not options.no_record:
        record("grouped_training", figures)


if __name__ == "__main__":
    main()
