"""What can run an operator without values is what can run it with typical ones, however they are told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.engine.abilities import Abilities, abilities
from tinynas.engine.choosing import Choices
from tinynas.engine.goals import Aim
from tinynas.engine.kernels import Spends, accepting, candidates
from tinynas.engine.layers import layer_of
from tinynas.errors import ModelError
from tinynas.graph import Activation, Graph, GraphBuilder, OpKind
from tinynas.graph.extremes import extreme_layer, layers_like
from tinynas.graph.outline import alone, likeness_of
from tinynas.graph.typical import KINDS, largest_magnitude, typical_kinds, with_typical_operator

SPENDS = [Spends.NOTHING, Spends.ARENA | Spends.TABLE, Spends.ARENA | Spends.TABLE | Spends.FLASH]
ACTIVATIONS = st.sampled_from(Activation)


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    """One convolution, the shares of its filters from few products to more than any kernel's bounds."""
    rows, groups = draw(st.integers(1, 12)), draw(st.sampled_from([1, 1, 2, 3]))
    seen = draw(st.integers(1, 200) | st.integers(800, 2400))
    builder = GraphBuilder("one", (rows, draw(st.integers(1, 12)), seen * groups))
    made = groups * draw(st.integers(1, 6))
    kernel = draw(st.sampled_from([1, 3, 5]))
    return builder.build(
        builder.conv(builder.input, made, kernel, draw(st.integers(1, 2)), draw(ACTIVATIONS), groups)
    )


@st.composite
def others(draw: st.DrawFn) -> Graph:
    """A depthwise convolution, a dense layer, or an operator without weights."""
    rows, columns, channels = (draw(st.integers(1, most)) for most in (12, 12, 40))
    builder = GraphBuilder("one", (rows, columns, channels))
    x, kind = builder.input, draw(st.sampled_from([*list(OpKind)[:6], OpKind.LOGISTIC]))
    if kind is OpKind.FULLY_CONNECTED:
        x = builder.global_mean(x)
        return builder.build(builder.dense(x, draw(st.integers(1, 12)), draw(ACTIVATIONS)))
    if kind in (OpKind.ADD, OpKind.MUL):
        gate = builder.logistic(builder.global_mean(x, keep_dims=True))
        y = builder.depthwise(x, 3, 1, draw(ACTIVATIONS))
        return builder.build(builder.multiply(x, gate) if kind is OpKind.MUL else builder.add(x, y))
    if kind is OpKind.MEAN:
        return builder.build(builder.global_mean(x, keep_dims=draw(st.booleans())))
    if kind is OpKind.LOGISTIC:
        return builder.build(builder.logistic(x))
    kernel, stride = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    return builder.build(builder.depthwise(x, kernel, stride, draw(ACTIVATIONS)))


@given(
    graph=convolutions() | others(),
    source=st.integers(0, len(KINDS) - 1),
    spends=st.sampled_from(SPENDS),
)
@settings(max_examples=200, deadline=None)
def test_what_is_told_is_what_values_tell(graph: Graph, source: int, spends: Spends) -> None:
    """Also where another operator of the same manner was asked about before."""
    kinds = typical_kinds(graph, source)
    for index, operator in enumerate(graph.operators):
        drawn = tuple(candidates(with_typical_operator(graph, index, kinds), index, spends))
        of_maps = [kinds[i] for i in graph.activations_in(operator)]
        likeness = likeness_of(graph, operator)
        assert abilities(spends).of(likeness, of_maps) == Abilities(spends).of(likeness, of_maps) == drawn


@given(graph=convolutions(), source=st.integers(0, len(KINDS) - 1))
@settings(max_examples=100, deadline=None)
def test_typical_values_are_between_the_extremes(graph: Graph, source: int) -> None:
    """What runs the largest runs the typical, and what runs the typical runs zeros."""
    (operator,) = graph.operators
    layers = layers_like(likeness_of(graph, operator), source)
    if layers is None:
        return
    largest = largest_magnitude(likeness_of(graph, operator))
    assert largest <= layers.largest_magnitude
    ends = [extreme_layer(layers, magnitude) for magnitude in (largest, 0)]
    large, zero = (set(accepting(end, end.operators[0], SPENDS[-1])) for end in ends)
    typical = with_typical_operator(graph, 0, typical_kinds(graph, source))
    assert large <= set(candidates(typical, 0, SPENDS[-1])) <= zero
    assert layer_of(typical, operator).magnitudes.max() <= largest


def test_values_are_drawn_where_it_hangs_on_them() -> None:
    """Packed weights have sums of 1,024 products at most if all are the largest."""
    found = []
    for channels in (576, 1600, 2300):
        builder = GraphBuilder("one", (4, 4, channels))
        graph = builder.build(builder.conv(builder.input, 8))
        likeness = likeness_of(graph, graph.operators[0])
        layers = layers_like(likeness, 1)
        assert layers is not None
        ends = [extreme_layer(layers, magnitude) for magnitude in (layers.largest_magnitude, 0)]
        large, zero = (accepting(end, end.operators[0], SPENDS[-1]) for end in ends)
        kernels = {each.function for each in abilities(SPENDS[-1]).of(likeness, (1,))}
        found.append((large == zero, "tn_convolve_packed" in kernels))
    assert found == [(True, True), (False, True), (False, False)]


def test_what_no_kernel_holds_is_refused_though_its_like_was_not() -> None:
    """The sizes of maps do not decide which kernels, but whether any."""
    for rows, fits in ((8, True), (8192, False)):
        builder = GraphBuilder("large", (rows, rows, 4))
        choices = Choices(builder.build(builder.conv(builder.input, 4)), Aim())
        if fits:
            assert len(choices.able) == 1
        else:
            with pytest.raises(ModelError, match=r"large: operator 0 .* more than a microcontroller holds"):
                choices.choose()


@given(graph=convolutions() | others())
@settings(max_examples=50, deadline=None)
def test_an_operator_alone_is_what_it_was(graph: Graph) -> None:
    """Its likeness is all there is of it without values."""
    for operator in graph.operators:
        likeness = likeness_of(graph, operator)
        single = alone(likeness)
        assert likeness_of(single, single.operators[0]) == likeness
