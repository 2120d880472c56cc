"""The fuzzer: the same seed gives the same case, what is wrong is seen, made small, blamed and kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.frontends.text import parse
from gopt.ir import Value
from gopt.passes import REGISTRY
from gopt.rewrite import Numerics, P, Rewriter, Rule, rule
from gopt.testing.fuzz import Case, Oracle, draw
from gopt.testing.fuzz.blame import blame
from gopt.testing.fuzz.corpus import keep, read
from gopt.testing.fuzz.kernels import OPSETS, runs
from gopt.testing.fuzz.original import dooms
from gopt.testing.fuzz.pipelines import plan
from gopt.testing.fuzz.session import fuzz, settle
from gopt.testing.fuzz.shrink import same_failure
from gopt.testing.fuzz.sketch import Misfit, Sketch
from gopt.testing.fuzz.steps.documented import documented
from gopt.testing.fuzz.steps.rare import random_numbers


@rule(P.Neg(P.Abs("x")), name="planted.neg_abs", numerics=Numerics.EXACT)
def wrong(rw: Rewriter, x: Value) -> Any:
    """Neg(Abs(x)) -> Neg(x), which it is not"""
    return rw.Neg(x)


@rule(P.Sigmoid("x"), name="planted.invalid")
def invalid(rw: Rewriter, x: Value) -> Any:
    """Sigmoid(x) -> Transpose(x), by what is no permutation"""
    return rw.Transpose(x, perm=[3])


@rule(P.Tanh("x"), name="planted.raises")
def raises(rw: Rewriter, x: Value) -> Any:
    """Tanh(x) -> nothing, for it raises"""
    raise IndexError("planted")


@rule(P.Erf("x"), name="planted.exact", numerics=Numerics.EXACT)
def not_exact(rw: Rewriter, x: Value) -> Any:
    """Erf(x) -> Softsign(x), which is not exact"""
    return rw.Softsign(x)


@pytest.fixture(autouse=True)
def planted() -> Iterator[None]:
    members: tuple[Rule, ...] = (wrong, invalid, raises, not_exact)
    for member in members:
        REGISTRY.add(member)
    yield
    for member in members:
        del REGISTRY._members[member.name]
        REGISTRY.changes += 1


def case(text: str, **inputs: Any) -> Case:
    model = parse(f'<ir_version: 8, opset_import: ["" : 18]>\ng {text}')
    return Case(0, to_bytes(model), ({name: np.asarray(a, np.float32) for name, a in inputs.items()},))


LARGER = case(
    "(float[N,3] x, float[3] z) => (float[N,3] y, float[N,3] u, float[3] s) <float[3] c = {1, 2, 3}> "
    "{ r = Relu(x) m = Mul(x, c) a = Abs(m) n = Neg(a) u = Add(r, c) y = Sub(n, c) s = Neg(z) }",
    x=[[1, -2, 3], [4, 5, -6]],
    z=[1, 2, 3],
)


def test_a_seed_gives_one_case() -> None:
    for seed in range(12):
        one, other = draw(seed), draw(seed)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.data == other.data
            assert len(one.feeds) == len(other.feeds)
            for a, b in zip(one.feeds, other.feeds):
                assert a.keys() == b.keys()
                assert all(np.array_equal(a[n], b[n], equal_nan=a[n].dtype.kind == "f") for n in a)


def test_most_seeds_give_models_that_run() -> None:
    cases = [c for seed in range(30) if (c := draw(seed)) is not None]
    assert sum(Oracle.of(c) is not None for c in cases) >= 15


def test_ops_are_made_where_there_is_a_kernel() -> None:
    text = '<ir_version: 8, opset_import: ["" : 18]>\ng ({0}[3] x) => (y) {{ y = {1}(x) }}'
    for dtype, op_type, there in [
        ("float", "Relu", 1),
        ("int64", "Relu", 0),
        ("float16", "Erf", 0),
        ("float", "Not", 0),
    ]:
        graph = parse(text.format(dtype, op_type)).graph
        graph.inputs[0].type = graph.inputs[0].declared.type if graph.inputs[0].declared is not None else None
        assert runs(graph.ops[0]) == bool(there), (dtype, op_type)


def test_pipelines_are_those_of_the_seed() -> None:
    assert plan(np.random.default_rng(3)) == plan(np.random.default_rng(3))
    assert {"@default", "fuse", "clean", "fold"} <= {text for text, _, _ in plan(np.random.default_rng(3))}


def test_wrong_numbers_are_made_small_and_blamed(tmp_path: Path) -> None:
    oracle = Oracle.of(LARGER)
    assert oracle is not None
    assert oracle.settled() is None
    assert oracle.look("clean") is None
    failure = oracle.look("planted.neg_abs")
    assert failure is not None
    assert failure.kind == "numbers"
    found = settle(LARGER, failure)
    assert found.blame is not None
    assert found.blame.rule == "planted.neg_abs"
    assert [op.op_type for op in load(found.case.data).graph.ops] == ["Abs", "Neg"]
    path = keep(found.case, found.failure, tmp_path, found.blame.rule)
    assert "planted.neg_abs" in path.name
    kept = read(path)
    assert (kept.pipeline, kept.exact) == ("planted.neg_abs", False)
    assert [op.op_type for op in load(kept.case.data).graph.ops] == ["Abs", "Neg"]
    assert same_failure(kept.case, found.failure) is not None


def test_the_guilty_rewrite_is_found_among_others() -> None:
    oracle = Oracle.of(LARGER)
    assert oracle is not None
    failure = oracle.look("planted.neg_abs,clean,fuse")
    assert failure is not None
    found = blame(oracle, failure)
    assert found is not None
    assert found.rule == "planted.neg_abs"


@pytest.mark.parametrize(
    ("op_type", "pipeline", "kind"),
    [
        ("Sigmoid", "planted.invalid", "invalid"),
        ("Tanh", "planted.raises", "error"),
        ("Erf", "planted.exact", "numbers"),
    ],
)
def test_other_faults_are_seen(op_type: str, pipeline: str, kind: str) -> None:
    oracle = Oracle.of(case(f"(float[2] x) => (float[2] y) {{ y = {op_type}(x) }}", x=[1, -2]))
    assert oracle is not None
    failure = oracle.look(pipeline)
    assert failure is not None
    assert failure.kind == kind
    assert same_failure(oracle.case, failure) is not None


def test_what_is_real_is_promised_for_real_numbers_alone() -> None:
    """x*a + x*b -> x*(a + b) gives other numbers where x is infinite."""
    text = "(float[2] x) => (float[2] y) <float a = {3}, float b = {-2}> { p = Mul(x, a) q = Mul(x, b) y = Add(p, q) }"
    for numbers in ([1.0, -2.0], [np.inf, 3e38]):
        oracle = Oracle.of(case(text, x=numbers))
        assert oracle is not None
        assert oracle.runs[0].wild == (numbers[0] == np.inf)
        assert oracle.look("@default", again=True) is None


def test_a_short_run_finds_nothing() -> None:
    told: list[str] = []
    tally = fuzz(range(5), tell=told.append)
    assert tally.drawn == 5
    assert told == []
    assert tally.rules


def test_the_cases_of_onnx_bring_in_rare_operators() -> None:
    kinds: set[str] = set()
    for seed in range(150):
        sketch = Sketch(np.random.default_rng(seed), OPSETS[-1])
        with suppress(Misfit):
            documented(sketch)
        kinds.update(op.op_type for op in sketch.graph.ops)
    assert len(kinds) > 60


def test_what_is_drawn_at_random_is_no_output() -> None:
    sketch = Sketch(np.random.default_rng(1), 18)
    differ = random_numbers(sketch)
    assert [v for v in sketch.values if v.producer is not None] == [differ]
    assert len({op for op in sketch.graph.ops if op.op_type.startswith("Random")}) == 2


def test_a_branch_that_nobody_can_take() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]> m (bool c, float[3] x) => (float[3] y) <int64[2] to = {SHAPE}> {
      y = If (c) <then_branch = p () => (float[3] u) { r = Reshape (x, to) u = Neg (x) },
                  else_branch = q () => (float[3] v) { v = Abs (x) }> }"""
    assert dooms(to_bytes(parse(text.replace("SHAPE", "1, 0"))))  # there is no dim to copy
    assert not dooms(to_bytes(parse(text.replace("SHAPE", "0, 1"))))
