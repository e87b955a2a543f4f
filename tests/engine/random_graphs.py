"""Small networks for tests with Hypothesis, of every shape that the planner meets."""

from __future__ import annotations

from hypothesis import strategies as st

from tinynas.graph import Graph, GraphBuilder


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Networks without weights: chains, residuals, gates, several outputs."""
    rows, columns = draw(st.integers(1, 13)), draw(st.integers(1, 6))
    net = GraphBuilder("random", (rows, columns, draw(st.integers(1, 4))))
    made = [net.input]
    for _ in range(draw(st.integers(1, 9))):
        x = made[draw(st.integers(max(0, len(made) - 3), len(made) - 1))]
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        match draw(st.sampled_from(["conv", "depthwise", "add", "gate", "pointwise"])):
            case "conv":
                made.append(net.conv(x, draw(st.integers(1, 6)), kernel, stride))
            case "depthwise":
                made.append(net.depthwise(x, kernel, stride))
            case "pointwise":
                made.append(net.conv(x, draw(st.integers(1, 8))))
            case "add":
                alike = [y for y in made if net.shape(y) == net.shape(x)]
                made.append(net.add(x, alike[draw(st.integers(0, len(alike) - 1))]))
            case "gate":
                pooled = net.global_mean(x, keep_dims=True)
                made.append(net.multiply(x, net.logistic(net.conv(pooled, net.shape(x)[3]))))
    if draw(st.booleans()):
        made.append(net.dense(net.global_mean(made[-1]), 3))
    last = made[-1]
    others = [y for y in made[1:-1] if draw(st.integers(0, 5)) == 0]
    return net.build(last, *others)
