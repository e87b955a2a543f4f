"""What a Graph costs: MACs, weights, SRAM and flash per runtime."""

from tinynas.cost.compute import conv_activations, macs, weights_and_biases
from tinynas.cost.counts import Counts, Int, count
from tinynas.cost.memory import Buffers, LivePeak, Plan, buffers, live_peak, plan_greedy
from tinynas.cost.runtime import (
    EngineRuntime,
    FlashEstimate,
    LiveRuntime,
    MemoryRule,
    Runtime,
    SramEstimate,
    TflmRuntime,
    aim_of,
    aim_within,
    find_runtime,
    runtimes,
)

__all__ = [
    "Buffers",
    "Counts",
    "EngineRuntime",
    "FlashEstimate",
    "Int",
    "LivePeak",
    "LiveRuntime",
    "MemoryRule",
    "Plan",
    "Runtime",
    "SramEstimate",
    "TflmRuntime",
    "aim_of",
    "aim_within",
    "buffers",
    "conv_activations",
    "count",
    "find_runtime",
    "live_peak",
    "macs",
    "plan_greedy",
    "runtimes",
    "weights_and_biases",
]
