"""Models with one thing wrong in their tables: the error names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from bent_models import (
    argument,
    bent,
    constant_source,
    ends,
    kind_of,
    named,
    no_options,
    of_type,
    option,
    other_options,
    quantized,
    reshaped,
    rewired,
    stateful,
    tensor,
    together,
    two_codes,
)
from hostile import MODELS, NAME, refusal

from tinynas.graph import OpKind
from tinynas.graph.tflite import graph_from_bytes

#: model, what is changed, and words of the error
CASES: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "pad more than the output has": ("pad", argument(0, 0, 2, 1, 0, 1, 0, 0), r"PAD\) does not fit"),
    "pad less than nothing": ("pad", argument(0, 0, -1, 3, 0, 1, 0, 0), r"PAD\) does not fit"),
    "pad by another order of margins": ("pad", reshaped(2, 2, 4), r"PAD\) does not fit"),
    "transpose by a matrix": ("transpose", reshaped(2, 2, 2), r"TRANSPOSE\) does not fit"),
    "mean by a matrix": ("mean", reshaped(2, 1, 2), r"MEAN\) does not fit"),
    "concat sizes": ("concat", reshaped(1, 1, 6, 5, 2), r"CONCATENATION\) does not fit"),
    "concat axis": ("concat", option(axis=7), r"CONCATENATION\) does not fit"),
    "concat without options": ("concat", no_options, "lacks its options"),
    "concat with an activation": ("concat", option(fusedActivationFunction=1), "has an activation"),
    "concat of scales": ("concat", quantized(2, scale=[40.0]), "another scale"),
    "mean axis": ("mean", argument(1, 9), r"MEAN\) does not fit"),
    "mean output": ("mean", reshaped(1, 1, 5), r"MEAN\) does not fit"),
    "mean over columns in three axes": (
        "mean_columns",
        reshaped(1, 1, 6, 4),
        r"operator 0 \(MEAN\) is not one",
    ),
    "reshape elements": ("reshape", reshaped(1, 1, 121), r"RESHAPE\) does not fit"),
    "reshape to another scale": ("reshape", quantized(1, scale=[6.0]), "another scale or zero point"),
    "broadcast": ("mul_gate", reshaped(1, 1, 1, 1, 3), r"MUL\) does not fit"),
    "transpose order": ("transpose", argument(0, 3, 3, 2), r"TRANSPOSE\) does not fit"),
    "transpose output": ("transpose", argument(0, 1, 2, 3), r"TRANSPOSE\) does not fit"),
    "resize to another size": ("resize", argument(8, 10), r"RESIZE_NEAREST_NEIGHBOR\) does not fit"),
    "resize without a size": ("resize", rewired(0), "wrong number of inputs"),
    "resize by a feature map": ("resize", rewired(0, 0), r"RESIZE_NEAREST_NEIGHBOR\) does not fit"),
    "pool window": ("max_pool", option(filterHeight=9), r"MAX_POOL_2D\) does not fit"),
    "pool stride 0": ("max_pool", option(strideW=0), "a window of"),
    "pool padding": ("max_pool", option(padding=5), "damaged"),
    "pool scales": ("average_pool", quantized(1, scale=[0.5]), "another scale"),
    "pool without options": ("max_pool", no_options, "lacks its options"),
    "conv with another kind's options": ("conv", other_options, "lacks its options"),
    "conv stride": ("conv", option(strideH=1), r"CONV_2D\) does not fit"),
    "conv weights as an input": ("conv", rewired(0, 0, 2), "does not fit|does not have|weights"),
    "conv axis of scales": ("conv", quantized(1, quantizedDimension=3), "scales along axis 3"),
    "conv activation": ("conv", option(fusedActivationFunction=4), "fused activation tinynas does not know"),
    "depthwise multiplier": ("depthwise_multiplied", option(depthMultiplier=4), "does not fit its shapes"),
    "bias of wrong length": ("conv", reshaped(2, 7), "damaged|7 biases"),
    "bias of another scale": ("dense", quantized(2, scale=[0.5]), "biases of other scales"),
    "bias with a zero point": ("dense", quantized(2, zeroPoint=[3]), "zero points other than 0"),
    "dense in an order of its own": ("dense", option(weightsFormat=1), "an order of their own"),
    "softmax without options": ("softmax", no_options, "lacks its options"),
    "softmax beta": ("softmax", option(beta=-1.0), "a softmax with beta"),
    "softmax of a gigabyte": (
        "softmax",
        together(reshaped(0, 1, 2**30), reshaped(1, 1, 2**30)),
        "tensor 0 of shape",
    ),
    "relu of more rows than can be numbered": (
        "relu",
        together(reshaped(0, 1, 70000, 1, 1), reshaped(1, 1, 70000, 1, 1)),
        "more than a microcontroller holds",
    ),
    "relu of many megabytes": (
        "relu",
        together(reshaped(0, 1, 4096, 4096, 8), reshaped(1, 1, 4096, 4096, 8)),
        "more than a microcontroller holds",
    ),
    "a size below nothing": ("relu", reshaped(0, 1, -6, 5, 4), "tensor 0 of shape"),
    "thirty axes": ("relu", reshaped(0, *([1] * 30)), "has 30 axes"),
    "another batch": (
        "relu",
        together(reshaped(0, 2, 6, 5, 4), reshaped(1, 2, 6, 5, 4)),
        "batches of one",
    ),
    "float beside int8": ("relu", of_type(1, "FLOAT32"), "mixes element types"),
    "an unknown type": ("relu", of_type(1, "COMPLEX64"), "element type tinynas cannot run"),
    "dequantize to int8": ("relu", kind_of("DEQUANTIZE"), "wrong element types"),
    "an unknown operator": ("relu", kind_of("LSTM"), "operator 0 is LSTM"),
    "an operator with two codes": ("relu", two_codes, "has two codes"),
    "an input of bits": ("mul_gate", together(rewired(0, 0), of_type(1, "BOOL")), "input or output of bool"),
    "scale 0": ("relu", quantized(0, scale=[0.0]), "not a positive number"),
    "scale nan": ("relu", quantized(0, scale=[float("nan")]), "not a positive number"),
    "scales a world apart": ("relu", quantized(0, scale=[1e30]), "scales too far apart"),
    "hard swish of next to nothing": ("hard_swish", quantized(0, scale=[1e-8]), "too small for HARD_SWISH"),
    # found by fuzzing: so small that TFLite Micro shifts by a number that is none
    "logistic of next to nothing": ("logistic", quantized(0, scale=[2.4e-38]), "too small for LOGISTIC"),
    "six in next to nothing": (
        "conv",
        together(
            quantized(3, scale=[1e-20]), quantized(1, scale=[1e-20] * 8), quantized(2, scale=[1e-20] * 8)
        ),
        "6.0 is no int32|biases of other scales",
    ),
    "a product a world apart": ("mul_gate", quantized(1, scale=[1e30]), "scales too far apart"),
    "zero point": ("relu", quantized(0, zeroPoint=[200]), "is no int8"),
    "no zero point": ("relu", quantized(0, zeroPoint=None), "0 zero points for 1 scales"),
    "two zero points": ("relu", quantized(0, zeroPoint=[1, 2]), "2 zero points for 1 scales"),
    "no quantisation": ("relu", lambda m: setattr(tensor(m, 0), "quantization", None), "a single scale"),
    "two inputs of a relu": ("relu", rewired(0, 0), "wrong number of inputs"),
    "a missing tensor": ("relu", rewired(9), "tensor indices"),
    "a missing buffer": ("relu", lambda model: setattr(tensor(model, 0), "buffer", 40), "buffer 40"),
    "a constant output": ("add_constant", ends(outputs=[1]), "an output that nothing writes"),
    "a constant input": ("add_constant", ends(inputs=[0, 1]), "a constant or there twice"),
    "an input twice": ("relu", ends(inputs=[0, 0]), "a constant or there twice"),
    "no input": ("relu", ends(inputs=[]), "no input"),
    # found by fuzzing: nothing writes a tensor without elements either
    "an output of no elements": (
        "relu",
        together(reshaped(1, 0, 16), ends(outputs=[1]), lambda m: m.subgraphs[0].operators.clear()),
        "an output that nothing writes",
    ),
    "no output": ("relu", ends(outputs=[]), "an output that nothing writes"),
    "its own output as input": ("relu", rewired(1), "reads what nothing has written"),
    "a scalar into a dense layer": ("dense", reshaped(0), "without axes|does not fit"),
    "a state": ("relu", stateful, "is a variable"),
    "a name that writes on the screen": (
        "relu",
        together(named(b"\n\x1b[2J" + b"a" * 5000), stateful),
        r"tensor 0 \(\?\?\[2Ja+\.\.\.a+\) is a variable",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_thing_wrong_is_named(case: str) -> None:
    name, change, words = CASES[case]
    message = refusal(bent(name, change))
    assert re.search(words, message), message or "accepted"


def test_the_code_of_an_operator_may_stand_in_either_field() -> None:
    for only in ("builtinCode", "deprecatedBuiltinCode"):
        data = bent("relu", lambda model, only=only: setattr(model.operatorCodes[0], only, 0))  # type: ignore[misc]
        assert graph_from_bytes(data, NAME).operators[0].kind is OpKind.RELU


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"add", "mul_gate", "float_borders"}))
def test_an_operator_on_a_constant_is_refused(name: str) -> None:
    assert re.search("constants alone|one of its inputs is a constant", refusal(bent(name, constant_source)))
