"""Rules of `fuse.pool`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = "(float[N,4,6,6] x) => (float y)"
P = {"p": np.array([0, 0, 1, 1, 0, 0, 0, 1])}
MAX = "y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(a)"
AVERAGE = "y = AveragePool<kernel_shape=[3,3], strides=[2,2]>(a)"
MAX_SAME = MAX.replace("strides", 'auto_pad="SAME_UPPER", strides')
AVERAGE_VALID = AVERAGE.replace("strides", 'auto_pad="VALID", strides')

CASES = {
    "zeros around a Relu": (f"r = Relu(x) a = Pad(r, p) {MAX}", {}, True),
    "zeros around a Clip": (f"r = Clip(x, n, h) a = Pad(r, p) {MAX}", {"n": 0.0, "h": 6.0}, True),
    "zeros around a Clip that goes below": (f"r = Clip(x, n) a = Pad(r, p) {MAX}", {"n": -1.0}, False),
    "zeros around a Clip upside down": (f"r = Clip(x, n, h) a = Pad(r, p) {MAX}", {"n": 0.0, "h": -1.0}, False),
    "zeros around anything": (f"a = Pad(x, p) {MAX}", {}, False),
    "ones around a Relu": (f"r = Relu(x) a = Pad(r, p, n) {MAX}", {"n": 1.0}, False),
    "minus infinity": (f"a = Pad(x, p, n) {MAX}", {"n": float("-inf")}, True),
    "the lowest number": (f"a = Pad(x, p, n) {MAX}", {"n": float(np.finfo("f").min)}, True),
    "edges": (f'r = Relu(x) a = Pad<mode="edge">(r, p) {MAX}', {}, False),
    "size rounded up": (f"r = Relu(x) a = Pad(r, p) {MAX.replace('strides', 'ceil_mode=1, strides')}", {}, False),
    "dilated": (f"r = Relu(x) a = Pad(r, p) {MAX.replace('strides', 'dilations=[2,2], strides')}", {}, False),
    "own pads": (f"r = Relu(x) a = Pad(r, p) {MAX.replace('strides', 'pads=[1,1,1,1], strides')}", {}, True),
    "by size": (f"r = Relu(x) a = Pad(r, p) {MAX_SAME}", {}, False),
    "pads as large as the kernel": (
        f"r = Relu(x) a = Pad(r, p) {MAX}",
        {"p": np.array([0, 0, 3, 0, 0, 0, 0, 0])},
        False,
    ),
    "average": (f"a = Pad(x, p) {AVERAGE}", {}, True),
    "average of valid": (f"a = Pad(x, p) {AVERAGE_VALID}", {}, True),
    "average that counts its pads": (
        f"a = Pad(x, p) {AVERAGE.replace('strides', 'pads=[0,1,0,0], count_include_pad=1, strides')}",
        {},
        True,
    ),
    "average that does not": (f"a = Pad(x, p) {AVERAGE.replace('strides', 'pads=[0,1,0,0], strides')}", {}, False),
    "average of ones": (f"a = Pad(x, p, n) {AVERAGE}", {"n": 1.0}, False),
    "average, size rounded up": (f"a = Pad(x, p) {AVERAGE.replace('strides', 'ceil_mode=1, strides')}", {}, False),
}


@pytest.mark.parametrize("name", CASES)
def test_pad_into_pool(fuse: Any, name: str) -> None:
    body, constants, fits = CASES[name]
    done = fuse(f"{X} {{ {body} }}", rules="fuse.pool", opset=19, **{**P, **constants})
    assert bool(done.fired) == fits
    assert ("Pad" in done.ops) != fits


def test_indices_count_padding(fuse: Any) -> None:
    text = f"{X[:-1]}, int64 i) {{ r = Relu(x) a = Pad(r, p) y, i = MaxPool<kernel_shape=[3,3]>(a) }}"
    assert fuse(text, **P).fired == []


def test_zeros_are_the_lowest_bytes(fuse: Any) -> None:
    text = f"(uint8[N,4,6,6] x) => (uint8 y) {{ a = Pad(x, p) {MAX} }}"
    assert fuse(text, **P).ops == ["MaxPool"]
