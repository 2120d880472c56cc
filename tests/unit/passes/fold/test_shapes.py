"""`fold.shapes`: sizes that are known though the tensors are not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from ..clean.rewriting import rewrite

N = "(float[N,3,4] x)"

FOLDS = {
    "what cancels out": (
        f"{N} => (int64 y) <int64 i = {{0}}, int64 j = {{1}}> "
        "{ s = Shape(x) a = Gather(s, i) b = Neg(a) y = Add(a, b) }",
        0,
        0,
    ),
    "a comparison of an unknown dim": (
        f"{N} => (bool y) <int64 i = {{0}}, int64 j = {{-1}}> {{ s = Shape(x) a = Gather(s, i) y = Greater(a, j) }}",
        0,
        True,
    ),
    "Shape": ("(float[2,3] x) => (int64[2] y) { y = Shape(x) }", 0, [2, 3]),
    "Shape from start to end": (f"{N} => (int64[2] y) {{ y = Shape<start = 1, end = 3>(x) }}", 0, [3, 4]),
    "Shape from the end": (f"{N} => (int64[1] y) {{ y = Shape<start = -1>(x) }}", 0, [4]),
    "Size": ("(float[2,3] x) => (int64 y) { y = Size(x) }", 0, 6),
    "Gather of one dim": (f"{N} => (int64 y) <int64 i = {{1}}> {{ s = Shape(x) y = Gather(s, i) }}", 0, 3),
    "Gather from the end": (f"{N} => (int64[1] y) <int64[1] i = {{-1}}> {{ s = Shape(x) y = Gather(s, i) }}", 0, [4]),
    "Slice": (
        f"{N} => (int64[2] y) <int64[1] b = {{1}}, int64[1] e = {{9}}> {{ s = Shape(x) y = Slice(s, b, e) }}",
        0,
        [3, 4],
    ),
    "arithmetic": (
        f"{N} => (int64[1] y) <int64 i = {{1}}, int64 j = {{2}}, int64[1] o = {{0}}> "
        "{ s = Shape(x) a = Gather(s, i) b = Gather(s, j) c = Mul(a, b) d = Unsqueeze(c, o) e = Cast<to = 6>(d) "
        "y = Cast<to = 7>(e) }",
        0,
        [12],
    ),
    "of a computed value": (
        f"{N} => (int64[1] y) <int64[1] i = {{1}}> "
        "{ a = Transpose<perm = [2, 1, 0]>(x) s = Shape(a) y = Gather(s, i) }",
        0,
        [3],
    ),
    "as int32": (f"{N} => (int32 y) <int64 i = {{1}}> {{ s = Shape(x) a = Gather(s, i) y = Cast<to = 6>(a) }}", 0, 3),
}


@pytest.mark.parametrize("name", FOLDS)
def test_it_folds(name: str) -> None:
    text, left, value = FOLDS[name]
    done = rewrite(text, "fold.shapes")
    assert len(done.model.graph) == left
    np.testing.assert_array_equal(done.outputs["y"], value)


def test_the_ops_that_only_it_needed_die_with_the_last_value() -> None:
    done = rewrite(FOLDS["arithmetic"][0], "fold.shapes")
    assert len(done.fired) == 1
    assert len(done.ctx.ledger.entries[0].before) >= 7


def test_a_known_part_of_a_shape_is_folded_and_the_rest_stays() -> None:
    text = (
        f"{N} => (float y) <int64 i = {{0}}, int64 j = {{1}}, int64 k = {{2}}, int64[1] o = {{0}}> "
        "{ s = Shape(x) a = Gather(s, i) b = Gather(s, j) c = Gather(s, k) d = Mul(b, c) e = Unsqueeze(a, o) "
        "f = Unsqueeze(d, o) t = Concat<axis = 0>(e, f) y = Reshape(x, t) }"
    )
    done = rewrite(text, "fold.shapes")
    assert done.ops == ["Shape", "Gather", "Unsqueeze", "Concat", "Reshape"]


KEEPS = {
    "an unknown dim": f"{N} => (int64[3] y) {{ y = Shape(x) }}",
    "its pick": f"{N} => (int64 y) <int64 i = {{0}}> {{ s = Shape(x) y = Gather(s, i) }}",
    "the size of a tensor with an unknown dim": f"{N} => (int64 y) {{ y = Size(x) }}",
    "a sum with an unknown dim": (
        f"{N} => (int64 y) <int64 i = {{0}}, int64 j = {{1}}> "
        "{ s = Shape(x) a = Gather(s, i) b = Neg(a) y = Sub(a, b) }"
    ),
}


@pytest.mark.parametrize("name", KEEPS)
def test_it_stays(name: str) -> None:
    assert rewrite(KEEPS[name], "fold.shapes").fired == []


def test_a_declared_type_that_is_not_an_inputs_is_not_believed() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.value_info.append(onnx.helper.make_tensor_value_info("a", 1, [7, 3, 4]))

    assert (
        rewrite(f"{N} => (int64[3] y) {{ a = Neg(x) y = Shape(a) }}", "fold.shapes", edit=edit, runs=False).fired == []
    )


def test_shapes_of_captured_values_in_a_body() -> None:
    text = (
        "(bool c, float[2,3] x) => (int64[2] y) { e = Exp(x) y = If(c) "
        "<then_branch = t () => (int64[2] p) { s = Shape(e) p = Neg(s) }, "
        "else_branch = f () => (int64[2] q) { r = Shape(e) q = Abs(r) }> }"
    )
    done = rewrite(text, "fold.shapes", feeds={"c": np.array(True), "x": np.ones((2, 3), np.float32)})
    assert set(done.fired) == {"shapes"}
    assert done.ops == ["If"]
