"""Means and global pools: the passes do what they say, and no output byte changes."""

from __future__ import annotations

import numpy as np
import pytest
from int8_nets import Int8Net, same
from pass_checks import assert_same, kinds
from reference_net import run

from tinynas.graph import (
    OpKind,
)
from tinynas.graph.passes import (
    lift_means,
    normalise_means,
    remove_unused,
    simplify,
)


def _exported_pool(net: Int8Net, x: int, keep: bool) -> int:
    """A global pool as PyTorch's exporters write it."""
    columns = net.mean(net.transpose(x, 0, 3, 1, 2), -1, keep=keep)
    return net.mean(columns, -2 if keep else 2, keep=keep)


@pytest.mark.parametrize("keep", [False, True])
def test_an_exported_global_pool_becomes_two_means_over_rows_as_they_come(keep: bool) -> None:
    net = Int8Net(1, 5, 4, 6)
    x = net.conv(net.input, 6, same(3))
    before = net.graph(net.dense(_exported_pool(net, x, keep), 3))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.MEAN, OpKind.FULLY_CONNECTED]
    columns, rows = (op for op in after.operators if op.kind is OpKind.MEAN)
    assert after.tensors[columns.inputs[1]].data == [2] and after.tensors[rows.inputs[1]].data == [1]
    assert after.tensors[columns.outputs[0]].shape == (1, 5, 1, 6)
    assert_same(before, after)


def test_one_mean_over_both_axes_is_not_the_same_as_two() -> None:
    net = Int8Net(1, 2, 2, 1, scale=(0.05, 0))
    pair = net.graph(net.mean(net.mean(net.input, 2, keep=True, scale=(0.05, 0)), 1, scale=(0.05, 0)))
    single = net.graph(net.mean(net.input, 1, 2, scale=(0.05, 0)))
    image = np.array([0, 1, 0, 3], np.int8).reshape(1, 2, 2, 1)
    assert (run(pair, image)[0].item(), run(remove_unused(single), image)[0].item()) == (2, 1)
    assert kinds(simplify(pair)) == [OpKind.MEAN, OpKind.MEAN]


@pytest.mark.parametrize("axes", [(-2, 1), (2, 1), (1, -3, 2)])
def test_axes_are_normalised(axes: tuple[int, ...]) -> None:
    net = Int8Net(1, 3, 4, 2)
    before = net.graph(net.mean(net.input, *axes))
    after = normalise_means(before)
    assert after.tensors[after.operators[0].inputs[1]].data.tolist() == [1, 2]  # type: ignore[union-attr]
    assert normalise_means(after) is after
    assert_same(before, after)


def test_a_mean_of_a_reshape_to_nchw_by_size_is_left_alone() -> None:
    # not a transpose: rows and channels are mixed
    net = Int8Net(1, 4, 4, 4)
    graph = net.graph(net.mean(net.reshape(net.input, 1, 2, 8, 4), 2))
    assert lift_means(graph) is graph


def test_a_mean_behind_axes_of_one_works_before_them() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.conv(net.input, 3, same(3))
    before = net.graph(net.dense(net.mean(net.reshape(x, 4, 5, 3), 0, 1), 2))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.FULLY_CONNECTED]
    assert_same(before, after)
