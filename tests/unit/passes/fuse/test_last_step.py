"""Rules of `fuse.last_step`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

W = {
    "LSTM": {"w": (1, 8, 3), "r": (1, 8, 2)},
    "GRU": {"w": (1, 6, 3), "r": (1, 6, 2)},
    "RNN": {"w": (1, 2, 3), "r": (1, 2, 2)},
}
GIVEN: dict[str, Any] = {
    "last": np.array(-1),
    "third": np.array(3),
    "first": np.array(0),
    "lasts": np.array([-1]),
    "zero": np.array([0]),
    "one": np.array([1]),
    "far": np.array([1 << 62]),
    "n": np.array([4, 3], np.int32),
}


def run(fuse: Any, body: str, x: str = "float[4,2,3]", results: str = "float y", cell: str = "LSTM") -> Any:
    return fuse(f"({x} x) => ({results}) {{ {body} }}", rules="fuse.last_step", **GIVEN, **W[cell])


@pytest.mark.parametrize("cell", W)
@pytest.mark.parametrize("x", ["float[4,2,3]", "float[T,N,3]"])
def test_the_last_step(fuse: Any, cell: str, x: str) -> None:
    body = f"a = {cell}<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, last)"
    assert run(fuse, body, x, cell=cell).ops == [cell, "Squeeze"]
    body = f"a = {cell}<hidden_size=2>(x, w, r) b = Gather<axis=0>(a, last) y = Neg(b)"
    assert run(fuse, body, x, cell=cell).ops == [cell, "Neg"]


def test_a_layer_that_gives_its_state_is_kept(fuse: Any) -> None:
    body = "a, h = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, last) z = Neg(a)"
    assert sorted(run(fuse, body, results="float y, float z").ops) == ["LSTM", "Neg", "Squeeze"]


def test_that_of_a_known_length(fuse: Any) -> None:
    body = "a = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, third)"
    assert run(fuse, body).fired == ["last_step.gather"]


def test_running_back_the_first_step_is_the_last(fuse: Any) -> None:
    body = 'a = LSTM<hidden_size=2, direction="reverse">(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, first)'
    assert run(fuse, body).fired == ["last_step.gather"]
    assert run(fuse, body.replace("first", "last")).fired == []


@pytest.mark.parametrize(
    "body",
    [
        "a = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, first)",
        "a = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=0>(s, lasts)",
        "a = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) y = Gather<axis=1>(s, last)",
        'a = LSTM<hidden_size=2>(x, w, r, "", n) s = Squeeze(a, one) y = Gather<axis=0>(s, last)',
        "a = LSTM<hidden_size=2>(x, w, r) s = Squeeze(a, one) t = Gather<axis=0>(s, last) e = Exp(a) y = Add(e, t)",
    ],
)
def test_what_stays(fuse: Any, body: str) -> None:
    assert run(fuse, body).fired == []


def test_two_directions_stay(fuse: Any) -> None:
    both = {"w": (2, 8, 3), "r": (2, 8, 2)}
    body = 'a = LSTM<hidden_size=2, direction="bidirectional">(x, w, r) y = Gather<axis=0>(a, last)'
    done = fuse(f"(float[4,2,3] x) => (float y) {{ {body} }}", rules="fuse.last_step", **GIVEN, **both)
    assert done.fired == []


@pytest.mark.parametrize(
    ("x", "cut", "fires"),
    [
        ("float[4,2,3]", "Slice(a, lasts, far, zero)", True),
        ("float[T,2,3]", "Slice(a, lasts, far, zero)", False),
        ("float[4,2,3]", "Slice(a, zero, one, zero)", False),
        ("float[4,2,3]", "Slice(a, zero, far, zero)", False),
        ("float[1,2,3]", "Slice(a, lasts, far, zero)", True),
    ],
)
def test_slices(fuse: Any, x: str, cut: str, fires: bool) -> None:
    done = run(fuse, f"a = LSTM<hidden_size=2>(x, w, r) y = {cut}", x)
    assert done.ops == (["LSTM", "Unsqueeze"] if fires else ["LSTM", "Slice"])
