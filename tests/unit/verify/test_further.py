"""Further runs: what is drawn, at which sizes, and what rounding may be excused with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from gopt.verify import Comparer, Comparison, Delivered, Status, Verification, Verifier, repair
from gopt.verify.flow import Facts
from gopt.verify.inputs import feed, specs
from gopt.verify.job import Job
from gopt.verify.noise import FACTOR, Moved, Noise
from gopt.verify.original import Original, Run
from gopt.verify.sizes import Variable, unlike
from gopt.verify.styles import Style, floats

RNG = np.random.default_rng(0)
BATCH = Variable("N", (1, 2, 3))
HEAD = '<ir_version: 8, opset_import: ["": 18]>'


def drawn(text: str, style: Style, **sizes: int) -> dict[str, Any]:
    proto = onnx.parser.parse_model(f"{HEAD} {text}")
    return feed(specs(proto, Facts(proto)), sizes, 100, 0, style)


# -- styles ------------------------------------------------------------------------------------------------------------


def test_wide_numbers_are_large_and_small_and_of_both_signs() -> None:
    x = floats(Style.WIDE, RNG, (1000,), ())
    assert x.min() < -20
    assert x.max() > 20
    assert np.abs(x).min() < 0.1


def test_steps_hold_zeros_halves_and_what_is_compared_with() -> None:
    x = floats(Style.STEPS, RNG, (1000,), (7.25,))
    assert {0.0, 0.5, -1.0, 7.25} <= set(x.tolist())


def test_steady_samples_hardly_vary() -> None:
    x = floats(Style.STEADY, RNG, (3, 50), ())
    assert np.allclose(x.mean(1), [0, 0.01, -0.03], atol=1e-3)  # near zero: a kernel may take squares of the mean off
    assert 0 < x.std(1).max() < 1e-2
    assert floats(Style.STEADY, RNG, (), ()).shape == ()


def test_odd_numbers_are_few() -> None:
    x = floats(Style.ODD, RNG, (1000,), ())
    assert 0 < np.isnan(x).sum() < 50
    assert np.isinf(x).any()


def test_whole_numbers_of_both_signs_where_nothing_is_known() -> None:
    text = "g (int64[200] i, uint8[200] u, int8[200] s) => (int64[200] y) { y = Identity(i) }"
    made = drawn(text, Style.WIDE)
    assert made["i"].min() < -1000
    assert made["i"].max() > 1000
    assert made["u"].dtype == np.uint8
    assert made["s"].min() < -100


def test_whole_numbers_around_what_they_are_compared_with() -> None:
    text = "g (int64[99] i) => (bool[99] y) { c = Constant<value_int = 500>()  y = Less(i, c) }"
    assert {499, 500, 501} <= set(drawn(text, Style.STEPS)["i"].tolist())


TABLE = "<float[5,2] table = {1,2,3,4,5,6,7,8,9,10}>"


def test_indices_may_count_from_the_end_where_they_are_nothing_else() -> None:
    text = f"g (int64[99] i) => (float[99,2] y) {TABLE} {{ y = Gather(table, i) }}"
    i = drawn(text, Style.WIDE)["i"]
    assert (i.min(), i.max()) == (-5, 4)
    shifted = f"""g (int64[99] i) => (float[99,2] y) {TABLE} {{
        one = Constant<value_int = 1>()  k = Sub(i, one)  y = Gather(table, k) }}"""
    assert drawn(shifted, Style.WIDE)["i"].min() == 1
    sized = f"g (int64[1] i) => (float[N] y) {TABLE} {{ y = ConstantOfShape(i) }}"
    assert drawn(sized, Style.WIDE)["i"].min() > 0


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_larger_batches_odd_pictures_other_lengths() -> None:
    image = (64, 96, 32, 128, 224, 160, 256, 320, 48, 416, 512, 640, 8, 16, 7, 1)
    free = [BATCH, Variable("H", image), Variable("W", image), Variable("T", (7, 12, 16))]
    cases = [{"N": 1, "H": 64, "W": 64, "T": 7}, {"N": 2, "H": 96, "W": 32, "T": 12}]
    every, batches = unlike(free, cases, small=False)
    assert every["N"] == batches["N"] == 5
    assert every["H"] % 2 == every["W"] % 2 == 1
    assert every["H"] != every["W"]
    assert every["T"] > 100
    assert batches == {**cases[1], "N": 5}
    assert next(unlike(free, cases, small=True))["T"] < 20


def test_what_was_equal_in_all_cases_stays_equal() -> None:
    free = [Variable("a", (7, 12)), Variable("b", (7, 12)), Variable("c", (7, 12))]
    (sizes,) = unlike(free, [{"a": 7, "b": 7, "c": 7}, {"a": 12, "b": 12, "c": 16}], small=False)
    assert sizes["a"] == sizes["b"] != sizes["c"]


def test_nothing_is_unlike_where_nothing_is_free() -> None:
    assert list(unlike([], [{}], small=False)) == []


# -- jobs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(save: Any, tmp_path: Path) -> Callable[..., Job]:
    def prepared(text: str, **request: Any) -> Job:
        (tmp_path / "data").mkdir(exist_ok=True)
        made = Job(tmp_path / "data", lambda message: None)
        made.prepare({"model": save(text, "a.onnx"), "seconds": 30, "seeds": 2, "tries": 200, **request})
        return made

    return prepared


def checked(job: Job, path: Path, **request: Any) -> Any:
    return SimpleNamespace(**job.check({"model": path, "seconds": 30, "exact": False, "extra": False, **request}))


CLIP = """g (float[N,6] x) => (float[N,6] y) { lo = Constant<value_float = 0.0>()
    hi = Constant<value_float = 6.0>()  y = Clip(x, lo, hi) }"""


def test_further_runs_show_what_the_first_do_not(job: Callable[..., Job], save: Any) -> None:
    other = save(CLIP.replace("Clip(x, lo, hi)", "Clip(x, lo)"), "b.onnx")
    found = checked(job(CLIP), other)
    assert not found.equal
    assert "(wide numbers)" in found.reason
    assert checked(job(CLIP, further=False), other).equal
    assert checked(job(CLIP), other, tolerance=[1e-3, 0.0]).equal, "somebody's own tolerance is for ordinary numbers"


def test_further_runs_are_repeated_as_they_were(job: Callable[..., Job]) -> None:
    first = job(CLIP)
    assert first.original is not None
    plan = [[str(run.style), run.seed, run.case] for run in first.original.further]
    again = job(CLIP, further=plan, cases=[run.case for run in first.original.runs])
    assert again.original is not None
    assert plan
    for one, other in zip(first.original.further, again.original.further, strict=True):
        assert np.array_equal(one.expected["y"], other.expected["y"], equal_nan=True)


def test_no_further_runs_where_a_run_takes_long(job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.verify.further._LEAST", 0.0)
    monkeypatch.setattr("gopt.verify.further._SHARE", 0.0)
    made = job(CLIP)
    assert made.original is not None
    assert made.original.further == []


def test_nothing_is_promised_of_nan_but_by_exact_rewrites(job: Callable[..., Job], save: Any) -> None:
    text = "g (float[N,6] x) => (float[N,6] y) { c = Constant<value_float = 0.5>()  y = Max(x, c) }"
    other = text.replace("y = Max(x, c)", "g = Greater(x, c)  y = Where(g, x, c)")
    path = save(other, "b.onnx")
    made = job(text)
    assert checked(made, path).equal
    assert "nan became 0.5" in checked(made, path, exact=True).reason


def test_an_error_between_rounding_and_the_tolerance(job: Callable[..., Job], save: Any) -> None:
    text = "g (float[N,6] x) => (float[N,6] y) { c = Constant<value_float = 1.00005>()  y = Mul(x, c) }"
    found = checked(job(text), save(text.replace("1.00005", "1.0"), "b.onnx"))
    assert not found.equal
    assert "more than rounding" in found.reason
    tolerant = checked(job(text), save(text.replace("1.00005", "1.0"), "b.onnx"), tolerance=[1e-4, 0.0])
    assert tolerant.equal


def test_the_same_error_where_rounding_makes_as_much(job: Callable[..., Job], save: Any) -> None:
    """1000 + x - 1000 has but few digits of x left."""
    text = """g (float[N,6] x) => (float[N,6] y) { c = Constant<value_float = 1.00002>()
        k = Constant<value_float = 1000.0>()  b = Add(x, k)  d = Sub(b, k)  y = Mul(d, c) }"""
    assert checked(job(text), save(text.replace("1.00002", "1.0"), "b.onnx")).equal


def test_small_numbers_beside_large_ones(job: Callable[..., Job], save: Any) -> None:
    text = """g (float[N,1,50] x) => (float[N,2,50] y) { big = Constant<value_float = 1000.0>()
        c = Constant<value_float = 1.005>()  a = Mul(x, big)  b = Mul(x, c)  y = Concat<axis = 1>(a, b) }"""
    found = checked(job(text), save(text.replace("1.005", "1.0"), "b.onnx"))
    assert not found.equal
    assert "at 1 along axis 1" in found.reason


TIES = """g (float[N,6] x) => (float[N,6] y) { c = Constant<value_float = 1.0>()  l = Less(x, c)  n = Not(l)
    y = Cast<to = 1>(n) }"""


def test_ties_are_doubtful_and_may_be_forgiven(job: Callable[..., Job], save: Any) -> None:
    path = save(TIES.replace("l = Less(x, c)  n = Not(l)", "n = Greater(x, c)"), "b.onnx")
    made = job(TIES)
    found = checked(made, path)
    assert not found.equal
    assert found.doubtful
    assert checked(made, path, forgiving=True).equal


# -- noise -------------------------------------------------------------------------------------------------------------


def test_rounding_explains_a_multiple_of_itself() -> None:
    x = np.ones((4, 40), np.float32)
    near, far = x + np.float32(FACTOR * 1e-3 * 0.9), x + np.float32(FACTOR * 1e-3 * 1.1)
    moved = Moved({"output 'y'": 1e-3})
    for y, explained in ((near, True), (far, False)):
        found = Comparison()
        Comparer(lenient=True).outputs({"y": x}, {"y": y}, found)
        assert not found.reasons
        assert [moved.explains(suspect, found) for suspect in found.suspects] == [explained]


def test_what_the_original_does_not_give_is_not_held_against_it() -> None:
    found = Comparison()
    Comparer(lenient=True).value("inner", np.zeros(3, np.int64), np.ones(3, np.int64), found)
    assert Moved().explains(found.suspects[0], found)


def test_numbers_that_met_an_infinity_are_excused(save: Any) -> None:
    path = save("g (float[3] x) => (float[3] y) { l = Log(x)  y = Sigmoid(l) }")
    proto = onnx.load(path)
    original = Original(path, Comparer().coarsest, [], specs(proto, Facts(proto)), {}, {})
    zeros = Run({}, 101, {"y": np.zeros(3, np.float32)}, style=Style.STEPS)
    original.runs = [Run({}, 0, {})]
    noise = Noise(original, 5.0, lambda: None)
    found = Comparison()
    Comparer(lenient=True).outputs(zeros.expected, {"y": np.ones(3, np.float32)}, found)
    assert found.suspects
    feeds = original.feed({}, 101, Style.STEPS)
    assert (feeds["x"] <= 0).any()
    assert noise.confirmed(zeros, found) == []


DYING = """
import json, os, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check" and not request["trusting"]:
        print(json.dumps({"event": "trying", "dims": {}, "further": True}), flush=True)
        os.abort()
    answer = {"cases": [{}], "width": 0, "further": [], "run_seconds": 0.1, "notes": []}
    answer |= {"equal": True, "max_abs": 0.0, "max_rel": 0.0, "reason": "", "runs": 1}
    print(json.dumps({"event": "answer", "ok": True, **answer}), flush=True)
"""


def test_a_process_that_does_not_survive_the_trials_is_no_fault_of_the_candidate(save: Any) -> None:
    path = save(CLIP)
    with Verifier.start(path, command=(sys.executable, "-c", DYING)) as verifier:
        assert verifier.check(path).ok


DYING_EARLY = DYING.replace('request["do"] == "check" and not request["trusting"]', 'request.get("further") is True')


def test_a_process_that_does_not_survive_further_runs_goes_without(save: Any) -> None:
    path = save(CLIP)
    with Verifier.start(path, command=(sys.executable, "-c", DYING_EARLY)) as verifier:
        assert verifier.check(path).ok


def test_infinities_that_are_always_there_excuse_nothing(job: Callable[..., Job], save: Any) -> None:
    text = """g (int64[6] i) => (float[6,2] y) <float[5,2] table = {1,2,3,4,5,6,7,8,9,10}> {
        none = Constant<value_float = 0.0>()  mask = Log(none)  t = Gather(table, i)  m = Max(t, mask)  y = Neg(m) }"""
    other = text.replace("t = Gather(table, i)", "z = Constant<value_int = 0>()  k = Max(i, z)  t = Gather(table, k)")
    found = checked(job(text), save(other, "b.onnx"))
    assert not found.equal
    assert "(wide numbers)" in found.reason


# -- repair ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("numerics", "left_out"), [(2, False), (0, True)])
def test_ties_are_no_fault_of_a_rewrite_that_rounds(numerics: int, left_out: bool) -> None:
    entries = [SimpleNamespace(rule=f"r{k}", key=f"r{k}:v", numerics=numerics) for k in range(5)]
    forgiven: list[int] = []

    def replay(limit: int | None, skip: frozenset[str]) -> Any:
        return Path("m.onnx"), SimpleNamespace(entries=[e for e in entries if e.key not in skip][:limit])

    def check(path: Path, ledger: Any) -> Verification:
        wrong = not forgiven and any(e.key == "r3:v" for e in ledger.entries)
        return Verification(Status.FAILED, reason="a tie", doubtful=True) if wrong else Verification(Status.OK)

    verifier: Any = SimpleNamespace(path=Path("original.onnx"), forgive=lambda: forgiven.append(1))
    done = repair(verifier, replay, check=check)
    assert done.delivered is Delivered.REPAIRED
    assert len(done.ledger.entries) == 5 - left_out
    assert [g.key for g in done.guilty] == (["r3:v"] if left_out else [])
    assert bool(forgiven) is not left_out
