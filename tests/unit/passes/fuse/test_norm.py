"""Rules of `fuse.norm`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

LAST: dict[str, Any] = {"axes": np.asarray([-1])}
SPATIAL: dict[str, Any] = {"axes": np.asarray([2, 3])}
C: dict[str, Any] = {"two": 2.0, "eps": 1e-5, "half": 0.5, "minus": -0.5, "six": 6.0, "sixth": 1 / 6, "one": 1.0}
MOMENTS = "m = ReduceMean(x, axes) c = Sub(x, m) s = Mul(c, c) v = ReduceMean(s, axes) d = Add(eps, v)"
RMS = "s = Pow(x, two) v = ReduceMean(s, axes) d = Add(v, eps) r = Sqrt(d)"

LAYERS = {
    "sqrt and div": f"{MOMENTS} r = Sqrt(d) y = Div(c, r)",
    "pow and div": f"{MOMENTS} r = Pow(d, half) y = Div(c, r)",
    "pow and mul": f"{MOMENTS} r = Pow(d, minus) y = Mul(c, r)",
    "sqrt and reciprocal": f"{MOMENTS} r = Sqrt(d) i = Reciprocal(r) y = Mul(i, c)",
    "sqrt and 1 / x": f"{MOMENTS} r = Sqrt(d) i = Div(one, r) y = Mul(c, i)",
    "scale": f"{MOMENTS} r = Sqrt(d) n = Div(c, r) y = Mul(n, w)",
    "scale and bias": f"{MOMENTS} r = Sqrt(d) n = Div(c, r) o = Mul(w, n) y = Add(o, b)",
    "scale in the numerator": f"{MOMENTS} r = Sqrt(d) i = Div(w, r) o = Mul(c, i) y = Add(o, b)",
    "bias alone": f"{MOMENTS} r = Sqrt(d) n = Div(c, r) y = Sub(n, b)",
    "scalars": f"{MOMENTS} r = Sqrt(d) n = Div(c, r) o = Mul(n, two) y = Add(o, half)",
    "squares by pow": f"{MOMENTS.replace('Mul(c, c)', 'Pow(c, two)')} r = Sqrt(d) y = Div(c, r)",
    "sums of jax": "t = ReduceSum(x, axes) m = Mul(t, sixth) c = Sub(x, m) s = Mul(c, c) q = ReduceSum(s, axes) "
    "v = Div(q, six) d = Add(eps, v) r = Sqrt(d) y = Div(c, r)",
    "moments of jax": "m = ReduceMean(x, axes) q = Mul(x, x) e = ReduceMean(q, axes) p = Mul(m, m) v = Sub(e, p) "
    "u = Relu(v) d = Add(u, eps) r = Sqrt(d) i = Reciprocal(r) k = Mul(i, w) c = Sub(x, m) n = Mul(c, k) y = Add(n, b)",
}


def _fused(fuse: Any, body: str, opset: int, shape: str = "N,4,6", **constants: Any) -> Any:
    used = {n: v for n, v in C.items() if f"{n})" in body or f"({n}" in body or f" {n}," in body}
    return fuse(f"(float[{shape}] input) => (float y) {{ x = Sin(input) {body} }}", opset=opset, **(used | constants))


@pytest.mark.parametrize("name", LAYERS)
def test_layer_normalisation(fuse: Any, name: str) -> None:
    weights: dict[str, Any] = {n: (6,) for n in "wb" if f"{n})" in LAYERS[name] or f"({n}," in LAYERS[name]}
    fused = _fused(fuse, LAYERS[name], 18, **LAST, **weights)
    assert fused.ops == ["Sin", "LayerNormalization"]


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_half_precision_and_not_doubles(fuse: Any, dtype: str) -> None:
    kind = {"float16": "float16", "float64": "double"}[dtype]
    constants = {"eps": 1e-5, "w": (6,)} | LAST
    text = f"({kind}[N,4,6] x) => ({kind} y) {{ {MOMENTS} r = Sqrt(d) n = Div(c, r) y = Mul(n, w) }}"
    ops = fuse(text, opset=18, dtype=dtype, **constants).ops
    assert (ops == ["LayerNormalization"]) == (dtype == "float16")


def test_two_last_axes(fuse: Any) -> None:
    axes: dict[str, Any] = {"axes": np.asarray([1, 2])}
    fused = _fused(fuse, LAYERS["scale and bias"], 18, **axes, w=(4, 6), b=(6,))
    assert fused.ops == ["Sin", "LayerNormalization"]
    (norm,) = (op for op in fused.model.graph.ops if op.op_type == "LayerNormalization")
    assert norm.attr("axis") == -2


@pytest.mark.parametrize("opset", [11, 18])
def test_instance_normalisation(fuse: Any, opset: int) -> None:
    body, constants = LAYERS["scale and bias"], dict(SPATIAL)
    if opset == 11:
        body, constants = body.replace("ReduceMean(", "ReduceMean<axes = [2, 3]>(").replace(", axes)", ")"), {}
    fused = _fused(fuse, body, opset, "N,3,4,6", **constants, w=(3, 1, 1), b=(1, 3, 1, 1))
    assert fused.ops == ["Sin", "InstanceNormalization"]


def test_rms_normalisation(fuse: Any) -> None:
    body = f"{RMS} i = Reciprocal(r) n = Mul(x, i) y = Mul(n, w)"
    fused = _fused(fuse, body, 23, **LAST, w=(6,))
    assert fused.ops == ["Sin", "RMSNormalization"]
    assert "norm.layer.rms" not in _fused(fuse, body, 22, **LAST, w=(6,)).fired


def test_rows_of_unknown_length(fuse: Any) -> None:
    fused = _fused(fuse, LAYERS["scale and bias"], 18, "N,3,M", **LAST, w=(3, 1), b=(3, 1))
    assert fused.ops == ["Sin", "InstanceNormalization"]


@pytest.mark.parametrize("number", [0.5, 0.1])
def test_half_precision_computed_in_single(fuse: Any, number: float) -> None:
    body = "c = Cast<to = 1>(x) n = LayerNormalization(c, s, b) y = Cast<to = 10>(n)"
    scale = np.full(6, number, np.float32)
    fused = fuse(f"(float16[N,4,6] x) => (float16 y) {{ {body} }}", opset=17, s=scale, b=np.ones(6, np.float32))
    assert fused.ops == (["LayerNormalization"] if number == 0.5 else ["Cast", "LayerNormalization", "Cast"])


@pytest.mark.parametrize("outer", [[0, 8, 3, 5], [-1, 8, 3, 5]])
@pytest.mark.parametrize("inner", [[0, 4, -1], [0, 4, 2, 15]])
def test_group_normalisation_of_torch(fuse: Any, inner: list[int], outer: list[int]) -> None:
    body = "a = Reshape(x, inner) g = InstanceNormalization(a, s, t) r = Reshape(g, outer) o = Mul(r, w) y = Add(o, b)"
    constants: dict[str, Any] = {"inner": np.asarray(inner), "outer": np.asarray(outer), "s": (4,), "t": (4,)}
    fused = _fused(fuse, body, 21, "N,8,3,5", **constants, w=(8, 1, 1), b=(8, 1, 1))
    assert fused.ops == ["Sin", "GroupNormalization"]


STAY: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "an old opset": (16, "N,4,6", LAYERS["sqrt and div"], LAST),
    "an unknown size": (18, "N,L,M", LAYERS["sqrt and div"], LAST),
    "not the last axes": (18, "N,4,6", LAYERS["sqrt and div"], {"axes": np.asarray([1])}),
    "other axes of the variance": (
        18,
        "N,4,6",
        LAYERS["sqrt and div"].replace("(s, axes)", "(s, other)"),
        LAST | {"other": np.asarray([1])},
    ),
    "no epsilon": (18, "N,4,6", LAYERS["sqrt and div"], LAST | {"eps": 0.0}),
    "an epsilon per row": (18, "N,4,6", LAYERS["sqrt and div"], LAST | {"eps": (4, 1)}),
    "another power": (18, "N,4,6", LAYERS["squares by pow"], LAST | {"two": 4.0}),
    "another root": (18, "N,4,6", LAYERS["pow and div"], LAST | {"half": 0.25}),
    "another number": (
        18,
        "N,4,6",
        LAYERS["sums of jax"].replace("Div(q, six)", "Div(q, seven)"),
        LAST | {"seven": 7.0},
    ),
    "dims that go": (18, "4,4", LAYERS["sqrt and div"].replace("ReduceMean(", "ReduceMean<keepdims = 0>("), LAST),
    "deviation from another mean": (
        18,
        "N,4,6",
        f"z = Cos(x) {MOMENTS} e = Sub(z, m) r = Sqrt(d) y = Div(e, r)",
        LAST,
    ),
}


@pytest.mark.parametrize("name", STAY)
def test_what_is_no_normalisation(fuse: Any, name: str) -> None:
    opset, shape, body, constants = STAY[name]
    if opset < 18:
        body = body.replace("ReduceMean(", "ReduceMean<axes = [-1]>(").replace(", axes)", ")")
        constants = {}
    assert not [f for f in _fused(fuse, body, opset, shape, **constants).fired if f.startswith("norm.")]


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("a = LayerNormalization(x, s, t) y = Mul(a, w)", {"s": (6,), "t": (6,), "w": (4, 1)}),
        ("a = LayerNormalization(x, s, t) y = Mul(a, w)", {"s": (6,), "t": (6,), "w": (2, 1, 1, 6)}),
        ("a, m = LayerNormalization(x, s, t) b = Mul(a, w) y = Add(b, m)", {"s": (6,), "t": (6,), "w": (6,)}),
        ("a = LayerNormalization(x, s, t) b = Mul(a, w) y = Mul(a, b)", {"s": (6,), "t": (6,), "w": (6,)}),
        ("a = InstanceNormalization(x, s, t) y = Mul(a, w)", {"s": (4,), "t": (4,), "w": (6,)}),
    ],
)
def test_a_line_that_stays(fuse: Any, body: str, constants: Any) -> None:
    assert not [f for f in _fused(fuse, body, 18, **constants).fired if f.startswith("norm.")]


def test_groups_that_cut_the_batch(fuse: Any) -> None:
    body = "a = Reshape(x, inner) g = InstanceNormalization(a, s, t) y = Reshape(g, outer)"
    constants: dict[str, Any] = {
        "inner": np.asarray([1, 4, -1]),
        "outer": np.asarray([2, 8, 3, 5]),
        "s": (4,),
        "t": (4,),
    }
    assert _fused(fuse, body, 21, "2,8,3,5", **constants).fired == []
