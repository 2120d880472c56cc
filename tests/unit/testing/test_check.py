"""What `check_rule` reports, and how it stands what models do to a runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt import Numerics, P, rule
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.ir import Op, Value
from gopt.passes import REGISTRY
from gopt.rewrite import Rewriter, Rule
from gopt.testing import check_rule, running
from gopt.testing.cases import make, recipe
from gopt.testing.judge import Judge, difference
from gopt.testing.mutations import MUTATIONS
from gopt.testing.running import Crashed, Runner
from gopt.verify.validity import invalid

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
RELU = HEAD + "g (float[3] x) => (float[3] y) { a = Relu(x) y = Neg(a) }"


@rule(P.Relu("x"), numerics=Numerics.ROUNDING, name="here.dropped", example=RELU)
def dropped(rw: Rewriter, x: Value) -> Any:
    return x


@rule(P.Relu("x"), name="here.kept", example=RELU)
def kept(rw: Rewriter, x: Value) -> Any:
    return rw.reject("it has to stay")


@rule(P.LpPool(P.Unique("x").as_("u")).as_("p"), name="here.without_a_plan")
def without_a_plan(rw: Rewriter, x: Value, u: Op, p: Op) -> Any:
    return x


def test_the_same_seed_gives_the_same_report() -> None:
    (given,) = REGISTRY.find("fuse.conv.scale")
    assert isinstance(given, Rule)
    first = check_rule(given, cases=15, seed=3)
    assert check_rule(given, cases=15, seed=3) == first
    assert check_rule(given, cases=15, seed=4).max_error != first.max_error
    assert check_rule(dropped, cases=15) == check_rule(dropped, cases=15)


def test_a_failure_names_the_draw_that_shows_it_again() -> None:
    report = check_rule(dropped, cases=10)
    number, problem = report.failures[-1].removeprefix("draw ").split(": ", 1)
    again = check_rule(dropped, only=int(number))
    assert again.cases == 1
    assert again.failures == [f"draw {number}: {problem}"]


def test_details_show_the_smallest_model_before_and_after() -> None:
    report = check_rule(dropped, cases=40)
    assert len(report.details) == 3
    first = report.details[0].splitlines()
    assert first[0].startswith("draw ")
    assert "  is rewritten as" in first
    before = first[1 : first.index("  is rewritten as")]
    assert sum("Relu" in line for line in before) == 1
    assert any(line.startswith("  x = [") for line in before)
    assert len(before) < 12


def test_a_rule_that_does_not_fire_in_its_example_has_failed() -> None:
    report = check_rule(kept, cases=3)
    assert report.failures == ["draw 0: it does not fire in its example"]
    assert report.fired == 0


@pytest.mark.parametrize("text", ["nonsense", HEAD + "g (float[3] x) => (float[3] y) { y = Relu(z) }"])
def test_an_example_that_is_no_model_has_failed(text: str) -> None:
    given = Rule("here.bad_example", kept.pattern, kept.fn, example=text)
    assert check_rule(given, cases=2).failures[0].startswith("draw 0: its example ")


def test_a_rule_of_which_no_model_can_be_made_never_fires() -> None:
    report = check_rule(without_a_plan, cases=3)
    assert (report.cases, report.fired, report.failures, report.ok) == (0, 0, [], False)


def test_every_mutation_is_drawn_and_changes_models() -> None:
    (given,) = REGISTRY.find("fuse.conv.add")
    assert isinstance(given, Rule)
    plain = make(given, recipe(given, 0, 0, 18))
    assert plain is not None
    drawn: set[str] = set()
    changed: set[str] = set()
    for draw in range(2, 400, 2):
        how = recipe(given, draw, 0, 18)
        drawn.update(name for _, name in how.steps)
        case = make(given, how) if len(how.steps) == 1 else None
        if case is not None and to_bytes(case.model) != to_bytes(plain.model):
            changed.add(how.steps[0][1])
    assert drawn == {m.name for m in MUTATIONS}
    assert len(changed) > len(MUTATIONS) * 3 // 4


# -- comparing ---------------------------------------------------------------------------------------------------------


def floats(*numbers: float) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    "want, got, strictest",
    [
        (floats(1, np.nan, -0.0), floats(1, np.nan, -0.0), Numerics.EXACT),
        (floats(0), floats(-0.0), Numerics.FINITE),
        (floats(1), floats(np.nextafter(np.float32(1), np.float32(2))), Numerics.ROUNDING),
        (floats(1e-7, 1), floats(2e-7, 1), Numerics.ROUNDING),
        (floats(1), floats(1.01), None),
        (floats(np.inf), floats(1), None),
        (floats(np.inf), floats(-np.inf), None),
        (floats(1), floats(np.nan), None),
        (floats(1), np.array([1.0]), None),
        (floats(1), floats(1, 1), None),
        (np.array([1, 2]), np.array([1, 3]), None),
        (np.array([True]), np.array([True]), Numerics.EXACT),
        ([floats(1)], [floats(1)], Numerics.EXACT),
        ([floats(1)], [], None),
        (None, floats(1), None),
    ],
)
def test_difference(want: Any, got: Any, strictest: Numerics | None) -> None:
    for numerics in Numerics:
        _, why = difference(want, got, numerics)
        assert (why == "") == (strictest is not None and numerics >= strictest), numerics


def judge(text: str, inputs: dict[str, Any], numerics: Numerics) -> Judge:
    return Judge(to_bytes(parse(HEAD + text)), inputs, numerics, np.random.default_rng(0))


def test_finite_promises_nothing_where_an_infinity_occurs_inside() -> None:
    text = "g (float[1] x) => (float[1] y) <float[1] one = {1}> { a = Div(one, x) y = Sigmoid(a) }"
    zero = judge(text, {"x": floats(0)}, Numerics.FINITE)
    assert zero.compare({"y": floats(1)}, {"y": floats(0.5)}) == (0.0, [])
    two = judge(text, {"x": floats(2)}, Numerics.FINITE)
    assert two.compare({"y": floats(1)}, {"y": floats(0.5)})[1] == ["output 'y'[0]: 1.0 became 0.5"]


def test_rounding_is_allowed_as_much_as_the_model_multiplies_it() -> None:
    text = "g (float[1] x) => (float[1] y) <float[1] c = {1000}> { a = Add(x, c) y = Sub(a, c) }"
    given = judge(text, {"x": floats(0.001)}, Numerics.ROUNDING)
    assert given.compare({"y": floats(0.00097656)}, {"y": floats(0.001)})[1] == []
    assert given.compare({"y": floats(0.00097656)}, {"y": floats(0.1)})[1] != []


def test_rounding_promises_nothing_of_infinities_but_of_all_else() -> None:
    text = "g (float[2] x) => (float[2] y) <float one = {1}> { y = Div(one, x) }"
    given = judge(text, {"x": floats(0, 2)}, Numerics.ROUNDING)
    assert given.compare({"y": floats(np.inf, 0.5)}, {"y": floats(np.nan, 0.5)}) == (0.0, [])
    assert given.compare({"y": floats(np.inf, 0.5)}, {"y": floats(np.inf, 0.6)})[1] != []
    assert given.compare({"y": floats(np.inf, 0.5)}, {"y": floats(np.inf, np.nan)})[1] != []


def test_an_output_that_is_gone_is_missed() -> None:
    given = judge("g (float[1] x) => (float[1] y) { y = Neg(x) }", {}, Numerics.EXACT)
    assert given.compare({"y": floats(1)}, {})[1] == ["output 'y' is gone"]


def test_the_checker() -> None:
    assert invalid(to_bytes(parse(HEAD + "g (float[1] x) => (float[1] y) { y = Neg(x) }"))) == ""
    assert "Neg" in invalid(to_bytes(parse(HEAD + "g (float[1] x) => (float[1] y) { y = Neg(x, x) }")))
    assert invalid(b"no model") != ""


# -- the process that runs models --------------------------------------------------------------------------------------

NEG = HEAD + "g (float[2] x) => (float[2] y) { y = Neg(x) }"


@pytest.fixture
def runner() -> Any:
    found = Runner()
    yield found
    found.close()


def test_the_runner_runs_models(runner: Runner) -> None:
    outputs, interface = runner.run(to_bytes(parse(NEG)), {"x": floats(1, 2)})
    assert outputs is not None
    assert outputs["y"].tolist() == [-1, -2]
    assert interface == (("input", "x", "tensor(float) [2]"), ("output", "y", "tensor(float)"))
    assert runner.run(b"no model", {}) == (None, ())


def test_the_runner_comes_back_after_a_crash(runner: Runner) -> None:
    data = to_bytes(parse(NEG))
    runner.run(data, {"x": floats(1, 2)})
    assert runner._process is not None
    runner._process.kill()
    with pytest.raises(Crashed):
        runner.run(data, {"x": floats(1, 2)})
    assert runner.run(data, {"x": floats(1, 2)})[0] is not None


def test_the_runner_does_not_wait_for_ever(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = HEAD + (
        "g (int64 n, bool c, float[1] x) => (float[1] y) { y = Loop(n, c, x) <body = b (int64 i, bool k, float[1] v) "
        "=> (bool k2, float[1] v2) { k2 = Identity(k) v2 = Neg(v) }> }"
    )
    inputs = {"n": np.array(3, np.int64), "c": np.array(True), "x": floats(1)}
    outputs, _ = runner.run(to_bytes(parse(endless)), inputs)
    assert outputs is not None
    monkeypatch.setattr(running, "SECONDS", 0.5)
    with pytest.raises(Crashed):
        runner.run(to_bytes(parse(endless)), inputs | {"n": np.array(1 << 40, np.int64)})


def test_a_double_may_come_of_coarser_numbers() -> None:
    """(x - 1) + 1 of single precision, cast to double, may lose what single precision loses."""
    text = """<ir_version: 8, opset_import: ["": 18]>
g (float[3] x) => (double[3] y) <float one = {1}> { a = Sub(x, one) b = Add(a, one) y = Cast<to = 11>(b) }"""
    x = np.array([0.6289581, 0.30084494, 1.6876447], np.float32)
    rounded, exact = ((x - np.float32(1)) + np.float32(1)).astype(np.float64), x.astype(np.float64)
    assert not np.array_equal(rounded, exact)
    judge = Judge(to_bytes(parse(text)), {"x": x}, Numerics.ROUNDING, np.random.default_rng(0))
    assert judge.compare({"y": rounded}, {"y": exact})[1] == []
    assert judge.compare({"y": rounded}, {"y": exact + 1e-3})[1] != []
