"""What every fusion must respect: who else uses a value, what may be overridden, where it stands, its type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt.passes.registry import REGISTRY
from gopt.rewrite import Rule

X = "(float[N,4,6,6] x) => (float y)"
CONV = {"w": (8, 4, 3, 3), "b": (8,)}

# A body for each family of rules, the value in its middle, and constants.
PAIRS = {
    "conv": ("a = Conv(x, w, b) y = Mul(a, k)", CONV | {"k": 2.0}, "Conv"),
    "conv before": ("a = Mul(x, k) y = Conv(a, w, b)", CONV | {"k": 2.0}, "Conv"),
    "matmul": ("a = MatMul(x, w) y = Mul(a, k)", {"w": (6, 5), "k": 2.0}, "MatMul"),
    "elementwise": ("a = Mul(x, k) y = Mul(a, l)", {"k": 2.0, "l": 3.0}, "Mul"),
    "clamp": ("a = Clip(x, k) y = Min(a, l)", {"k": 2.0, "l": 3.0}, "Clip"),
    "batchnorm": (
        "a = Mul(x, k) y = BatchNormalization(a, s, s, s, s)",
        {"k": 2.0, "s": (4,)},
        "BatchNormalization",
    ),
    "gemm": ("f = Flatten(x) a = Gemm(f, w, b) y = Add(a, k)", {"w": (144, 3), "b": (3,), "k": 2.0}, "Gemm"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_value_between_is_an_output(fuse: Any, name: str) -> None:
    body, constants, _ = PAIRS[name]
    assert fuse(f"(float[N,4,6,6] x) => (float y, float a) {{ {body} }}", **constants).fired == []


@pytest.mark.parametrize("name", PAIRS)
def test_the_value_between_is_used_elsewhere(fuse: Any, name: str) -> None:
    body, constants, _ = PAIRS[name]
    assert fuse(f"(float[N,4,6,6] x) => (float y, float z) {{ {body} z = Sin(a) }}", **constants).fired == []


@pytest.mark.parametrize("name", PAIRS)
def test_the_value_between_is_captured_by_a_body(fuse: Any, name: str) -> None:
    body, constants, _ = PAIRS[name]
    text = f"""(float[N,4,6,6] x, bool i) => (float y, float z) {{ {body}
        z = If(i) <then_branch = g1 () => (float z1) {{ z1 = Sin(a) }},
                   else_branch = g2 () => (float z2) {{ z2 = Cos(a) }}> }}"""
    assert fuse(text, **constants).fired == []


@pytest.mark.parametrize("name", PAIRS)
def test_a_constant_that_may_be_overridden(fuse: Any, name: str) -> None:
    body, constants, _ = PAIRS[name]
    assert fuse(f"(float[N,4,6,6] x, float k) => (float y) {{ {body} }}", **constants).fired == []


@pytest.mark.parametrize("name", PAIRS)
def test_constants_captured_by_a_body(fuse: Any, name: str) -> None:
    body, constants, left = PAIRS[name]
    text = f"""(float[N,4,6,6] x, bool i) => (float z) {{
        z = If(i) <then_branch = g1 () => (float y) {{ {body} }},
                   else_branch = g2 () => (float z2) {{ z2 = Sin(x) }}> }}"""
    done = fuse(text, **constants)
    assert len(done.fired) == 1
    then = done.model.graph.ops[0].bodies[0]
    assert [op.op_type for op in then.ops][-1] == left
    # What the body captured for the constants that went is gone as well.
    assert all(v.use_count for v in then.values if not v.is_output)


@pytest.mark.parametrize("name", PAIRS)
def test_constants_that_others_use_stay(fuse: Any, name: str) -> None:
    body, constants, _ = PAIRS[name]
    used = "w" if "w" in constants else "k"
    done = fuse(f"(float[N,4,6,6] x) => (float y, float z) {{ {body} z = Sin({used}) }}", **constants)
    assert len(done.fired) == 1


def test_weights_shared_by_two_convolutions_grow_within_limits(fuse: Any) -> None:
    text = f"{X} {{ a = Conv(x, w, b) c = Mul(a, k) d = Conv(x, w, b) e = Div(d, l) y = Max(c, e) }}"
    constants = {"w": (64, 4, 3, 3), "b": (64,), "k": 2.0, "l": 3.0}
    done = fuse(text, **constants)
    assert done.fired == ["conv.scale"] * 2
    # The first copy costs its size; with the second the shared weights are used no more.
    assert 0 < done.growth < 64 * 4 * 9 * 4 * 2
    assert fuse(text, max_growth=5000, **constants).fired == []


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", ["float16", "double"])
def test_other_element_types(fuse: Any, name: str, dtype: str) -> None:
    if (name, dtype) in {("conv", "double"), ("conv before", "double")}:
        pytest.skip("the runtime has no such convolution")
    body, constants, left = PAIRS[name]
    text = f"({dtype}[N,4,6,6] x) => ({dtype} y) {{ {body} }}"
    done = fuse(text, dtype={"double": "float64"}.get(dtype, dtype), **constants)
    assert len(done.fired) == 1
    assert done.ops[-1] == left


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("a = Conv(x, w) y = Mul(a, k)", {"w": (8, 4, 3, 3), "k": 6e4}),
        ("a = Conv(x, w) y = Mul(a, k)", {"w": (8, 4, 3, 3), "k": 1e-6}),
        ("a = Conv(x, w, b) y = Add(a, k)", {"w": (8, 4, 3, 3), "b": np.full(8, 6e4, "e"), "k": 6e4}),
        ("a = MatMul(x, w) y = Mul(a, k)", {"w": (6, 5), "k": 6e4}),
        ("a = Mul(x, k) y = Mul(a, k)", {"k": 300.0}),
        ("a = Mul(x, k) y = Mul(a, k)", {"k": 1e-3}),
    ],
)
def test_half_precision_neither_overflows_nor_vanishes(fuse: Any, body: str, constants: Any) -> None:
    text = f"(float16[N,4,6,6] x) => (float16 y) {{ {body} }}"
    assert fuse(text, dtype="float16", **constants).fired == []


def test_an_omitted_operand(fuse: Any) -> None:
    text = f'{X} {{ a = Clip(x, "", h) y = Clip(a, l, "") }}'
    assert fuse(text, h=3.0, l=-1.0).ops == ["Clip"]
    assert fuse(f'{X} {{ a = Conv(x, w, "") y = Add(a, k) }}', w=(8, 4, 3, 3), k=1.0).ops == ["Conv"]


def test_a_value_times_itself(fuse: Any) -> None:
    done = fuse(f"{X} {{ a = Conv(x, w, b) c = Mul(a, a) d = Add(c, c) y = Mul(d, d) }}", **CONV)
    assert done.fired == []


@pytest.mark.parametrize(
    ("body", "constants", "fired"),
    [
        ("a = MatMul(z, w) y = Mul(a, k)", {"w": (6, 5), "k": (5,)}, ["matmul.scale"]),
        ("a = MatMul(z, w) y = Mul(a, k)", {"w": (6, 5), "k": (1, 5)}, []),
        ("a = MatMul(z, w) y = Add(a, k)", {"w": (6, 5), "k": (5,)}, []),
        ("a = Max(z, k) y = Min(a, l)", {"k": 1.0, "l": 2.0}, ["clamp.clamp"]),
        ("a = Max(z, k) y = Min(a, l)", {"k": (1,), "l": 2.0}, []),
        ("a = Mul(z, k) y = Mul(a, l)", {"k": (6,), "l": (4, 1, 1)}, []),
        ("a = Mul(z, k) y = Conv(a, w)", {"k": 2.0, "w": (8, 4, 3, 3)}, ["conv.scale_before"]),
        ("a = Mul(z, k) y = Conv(a, w)", {"k": (4, 1, 1), "w": (8, 4, 3, 3)}, []),
    ],
)
def test_an_unknown_rank(fuse: Any, body: str, constants: Any, fired: list[str]) -> None:
    assert fuse(f"{X} {{ z = Squeeze(x) {body} }}", **constants).fired == fired


def test_training_does_not_match(fuse: Any) -> None:
    text = f"{X} {{ a = Conv(x, w, b) y, m1, v1 = BatchNormalization<training_mode=1>(a, s, s, s, s) }}"
    assert fuse(text, s=(8,), **CONV).fired == []


def test_exported_results_keep_their_names(fuse: Any) -> None:
    done = fuse(f"{X} {{ a = Conv(x, w, b) y = Mul(a, k) }}", k=2.0, **CONV)
    assert [v.name for v in done.model.graph.outputs] == ["y"]


RULES = [r for r in REGISTRY.find("fuse") if isinstance(r, Rule)]


@pytest.mark.parametrize("given", RULES, ids=lambda r: r.name)
def test_the_example_of_a_rule(fuse: Any, given: Rule) -> None:
    assert fuse(given.example, rules=given.name).fired == [given.name.removeprefix("fuse.")]


def test_every_rule_says_what_it_does() -> None:
    assert [r.name for r in RULES if "->" not in r.equation or "Applies" not in r.doc] == []
