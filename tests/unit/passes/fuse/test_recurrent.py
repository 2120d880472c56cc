"""Rules of `fuse.recurrent`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

W = {
    "LSTM": {"w": (1, 8, 3), "r": (1, 8, 2)},
    "GRU": {"w": (1, 6, 3), "r": (1, 6, 2)},
    "RNN": {"w": (1, 2, 3), "r": (1, 2, 2)},
}
SIZES = {"one": np.array([1]), "two": np.array([2]), "none": np.array([0])}
ZEROS = "s = Shape(x) n = Slice(s, one, two) d = Concat<axis=0>(one, n, two) h = ConstantOfShape(d)"


def head(text: str = "float[4,N,3] x", results: str = "float y") -> str:
    return f"({text}) => ({results})"


@pytest.mark.parametrize("cell", W)
def test_states_of_zeros_go_with_what_makes_them(fuse: Any, cell: str) -> None:
    done = fuse(
        f"{head()} {{ {ZEROS} y = {cell}<hidden_size=2>(x, w, r, '', '', h) }}".replace("'", '"'), **W[cell], **SIZES
    )
    assert (done.fired, done.ops) == (["recurrent.zero_state"], [cell])


@pytest.mark.parametrize(
    ("makes", "goes"),
    {
        "h = Identity(z)": True,
        "h = Expand(z, d)": True,
        "h = Slice(z, none, one, none)": True,
        "h = Unsqueeze(q, none)": True,
        "h = Concat<axis=2>(half, half)": True,
        "h = Transpose<perm=[0,1,2]>(z)": True,
        "h = Identity(ones)": False,
        "h = Neg(z)": False,
        "h = Identity(minus)": False,
        "h = Concat<axis=2>(half, whole)": False,
        "s = Shape(z) h = ConstantOfShape<value = float[1] {0}>(s)": True,
        "s = Shape(z) h = ConstantOfShape<value = float[1] {1}>(s)": False,
    }.items(),
)
def test_what_is_known_to_be_zero(fuse: Any, makes: str, goes: bool) -> None:
    given = {
        "z": np.zeros((1, 3, 2), "f"),
        "q": np.zeros((3, 2), "f"),
        "d": np.array([1, 3, 2]),
        "half": np.zeros((1, 3, 1), "f"),
        "whole": np.ones((1, 3, 1), "f"),
        "ones": np.ones((1, 3, 2), "f"),
        "minus": np.full((1, 3, 2), -0.0, "f"),
    }
    text = f'{head("float[4,3,3] x")} {{ {makes} y = LSTM<hidden_size=2>(x, w, r, "", "", h, c) }}'
    done = fuse(text, c=(1, 3, 2), **W["LSTM"], **SIZES, **given)
    assert bool(done.fired) == goes
    cell = next(op for op in done.model.graph.ops if op.op_type == "LSTM")
    assert (cell.input(5) is None) == goes
    assert cell.input(6) is not None


def test_an_overridable_state_stays(fuse: Any) -> None:
    text = head("float[4,3,3] x, float[1,3,2] h") + ' { y = LSTM<hidden_size=2>(x, w, r, "", "", h) }'
    assert fuse(text, h=np.zeros((1, 3, 2), "f"), **W["LSTM"]).fired == []


def test_a_state_that_is_also_an_output_is_kept(fuse: Any) -> None:
    text = head(results="float y, float h") + f' {{ {ZEROS} y = GRU<hidden_size=2>(x, w, r, "", "", h) }}'
    done = fuse(text, **W["GRU"], **SIZES)
    assert done.fired == ["recurrent.zero_state"]
    assert "ConstantOfShape" in done.ops


def test_omitted_results_and_attributes_stay(fuse: Any) -> None:
    cell = 'LSTM<hidden_size=2, direction="reverse", activations=["Sigmoid","Tanh","Relu"]>(x, w, r, b, "", h, h)'
    done = fuse(f'{head(results="float c")} {{ {ZEROS} "", h1, c = {cell} }}', b=(1, 16), **W["LSTM"], **SIZES)
    (op,) = done.model.graph.ops
    assert op.attr("direction") == "reverse"
    assert op.attr("activations") == ("Sigmoid", "Tanh", "Relu")
    assert op.outputs[0] is None
    assert len(op.inputs) == 4


@pytest.mark.parametrize("cell", W)
def test_a_bias_of_zeros(fuse: Any, cell: str) -> None:
    size = 2 * W[cell]["w"][1]
    text = f"{head()} {{ y = {cell}<hidden_size=2>(x, w, r, b) }}"
    assert fuse(text, b=np.zeros((1, size), "f"), **W[cell]).fired == ["recurrent.zero_bias"]
    assert fuse(text, b=(1, size), **W[cell]).fired == []


def test_a_bias_goes_and_a_state_stays(fuse: Any) -> None:
    text = head("float[4,3,3] x") + ' { y = GRU<hidden_size=2>(x, w, r, b, "", h) }'
    done = fuse(text, b=np.zeros((1, 12), "f"), h=(1, 3, 2), **W["GRU"])
    (op,) = done.model.graph.ops
    assert [v is None for v in op.inputs] == [False, False, False, True, True, False]


def test_peepholes_of_zeros(fuse: Any) -> None:
    text = head() + ' { y = LSTM<hidden_size=2>(x, w, r, "", "", "", "", p) }'
    assert fuse(text, p=np.zeros((1, 6), "f"), **W["LSTM"]).fired == ["recurrent.zero_peepholes"]
    assert fuse(text, p=(1, 6), **W["LSTM"]).fired == []


@pytest.mark.parametrize(
    ("lengths", "x", "goes"),
    [
        ("e = Identity(fours)", "float[4,3,3] x", True),
        ("e = Identity(mixed)", "float[4,3,3] x", False),
        ("e = Identity(twos)", "float[T,3,3] x", False),
        ("s = Shape(x) n = Slice(s, one, two) e = Expand(four, n)", "float[4,N,3] x", True),
        (
            "s = Shape(x) t = Slice(s, none, one) n = Slice(s, one, two) f = Expand(t, n) e = Cast<to=6>(f)",
            "float[T,N,3] x",
            True,
        ),
        (
            "s = Shape(x) t = Slice(s, one, two) n = Slice(s, one, two) f = Expand(t, n) e = Cast<to=6>(f)",
            "float[T,N,3] x",
            False,
        ),
    ],
)
def test_lengths(fuse: Any, lengths: str, x: str, goes: bool) -> None:
    given = {
        "fours": np.full(3, 4, np.int32),
        "mixed": np.array([4, 3, 4], np.int32),
        "twos": np.full(3, 2, np.int32),
        "four": np.array([4], np.int32),
    }
    text = f'{head(x)} {{ {lengths} y = LSTM<hidden_size=2>(x, w, r, "", e) }}'
    done = fuse(text, rules="fuse.recurrent", **W["LSTM"], **SIZES, **given)
    assert bool(done.fired) == goes


def test_in_a_body(fuse: Any) -> None:
    body = f'{ZEROS} z = GRU<hidden_size=2>(x, w, r, "", "", h)'
    text = f"""(float[4,N,3] x, bool p) => (float y) {{
        y = If(p) <then_branch = t () => (float[] z) {{ {body} }}, else_branch = e () => (float[] u) {{ u = Sqrt(w) }}>
    }}"""
    done = fuse(text, **W["GRU"], **SIZES)
    assert done.fired == ["recurrent.zero_state"]
