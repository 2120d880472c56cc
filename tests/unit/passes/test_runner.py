"""Running pipelines: order, fixed points, seeds, limits, reports, errors, instruments."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gopt.errors import GraphError, ModelError, PassError, ResourceError, RewriteLoopError, VerificationError
from gopt.frontends.text import parse
from gopt.ir import ArrayTensor, Attr, Declared, DType, Graph, Model, Op, Role, TensorType, Value
from gopt.passes import (
    CompareEach,
    DumpWhenChanged,
    Instrument,
    Pass,
    PassRun,
    Progress,
    Report,
    Timing,
    VerifyEach,
    run_pipeline,
)
from gopt.passes.base import OpPass
from gopt.passes.pipeline import Pipeline, Repeated, Selected
from gopt.rewrite import Context, Entry, Ledger, P, Reject, RejectError, Rewriter, Rule, rule


def chain(*op_types: str) -> Model:
    """x -> each op in turn -> y."""
    graph = Graph("chain", {"": 21})
    value = Value("x")
    value.declared = Declared(TensorType(DType.FLOAT, (2, 3)))
    graph.names.claim("x")
    graph.add_input(value)
    for k, op_type in enumerate(op_types):
        name = "y" if k == len(op_types) - 1 else f"v{k}"
        graph.names.claim(name)
        value = graph.add(Op(op_type, [value], [Value(name)])).result
    graph.set_output(0, value)
    return Model(graph)


def types(model: Model) -> list[str]:
    return [op.op_type for op in model.graph.ops]


@rule(P.Neg(P.Neg("x")), name="t.neg_neg")
def neg_neg(rw: Rewriter, x: Value) -> Value:
    return x


@rule(P.Relu(P.Relu("x")), name="t.relu_relu")
def relu_relu(rw: Rewriter, x: Value) -> Value:
    return rw.Relu(x)  # type: ignore[no-any-return]


@rule(P.Abs("x"), name="t.abs_to_relu")
def abs_to_relu(rw: Rewriter, x: Value) -> Value:
    return rw.Relu(x)  # type: ignore[no-any-return]


def make(name: str, run: Callable[[Model, Context], None]) -> Pass:
    @dataclass(frozen=True)
    class Made(Pass):
        def run(self, model: Model, ctx: Context) -> None:
            run(model, ctx)

    Made.name = name
    return Made()


def bypass(op_type: str) -> Callable[[Model, Context], None]:
    """Removes the first op of a type."""

    def run(model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == op_type:
                assert op.inputs[0] is not None
                ctx.replace(f"p.{op_type.lower()}", {op.result: op.inputs[0]})
                return

    return run


def repeat(*members: Rule | Pass, times: int | None = None) -> Pipeline:
    return Pipeline((Repeated(tuple(Selected(m.name, (m,)) for m in members), times),))


def test_rules_and_passes_run_in_order() -> None:
    model = chain("Neg", "Neg", "Abs", "Relu", "Sigmoid")
    report = run_pipeline(model, [neg_neg, abs_to_relu, relu_relu, make("p.sig", bypass("Cos"))])
    assert types(model) == ["Relu", "Sigmoid"]
    assert model.graph.outputs[0].name == "y"
    assert report.rewrites == {"t.neg_neg": 1, "t.abs_to_relu": 1, "t.relu_relu": 1}
    first, second = report.runs
    assert (first.name, first.ops_before, first.ops_after, first.changed) == (
        "t.neg_neg,t.abs_to_relu,t.relu_relu",
        5,
        2,
        True,
    )
    assert (second.name, second.changed, second.rewrites) == ("p.sig", False, {})
    assert (report.ops_before, report.ops_after, report.total) == (5, 2, 3)
    assert report.seconds >= sum(r.seconds for r in report.runs) >= 0
    assert report.pipeline == "t.neg_neg,t.abs_to_relu,t.relu_relu,p.sig"


def test_an_empty_pipeline_changes_nothing() -> None:
    model = chain("Neg", "Neg")
    report = run_pipeline(model, "")
    assert types(model) == ["Neg", "Neg"]
    assert report.runs == []


def test_a_group_runs_until_nothing_changes() -> None:
    model = chain("Neg", "Abs", "Cos", "Abs", "Neg", "Cos", "Sin")
    report = run_pipeline(model, repeat(neg_neg, make("p.abs", bypass("Abs")), make("p.cos", bypass("Cos"))))
    assert types(model) == ["Sin"]
    assert report.rewrites == {"p.abs": 2, "p.cos": 2, "t.neg_neg": 1}
    again = run_pipeline(model, repeat(neg_neg, make("p.abs", bypass("Abs"))))
    assert [r.changed for r in again.runs] == [False, False]


def test_what_is_done_is_not_run_again() -> None:
    model = chain("Abs", "Cos", "Sin")
    idle: list[int] = []
    report = run_pipeline(model, repeat(make("p.abs", bypass("Abs")), make("p.idle", lambda m, c: idle.append(1))))
    # p.abs changes the model once and is asked once more; p.idle has seen that state already.
    assert [r.name for r in report.runs] == ["p.abs", "p.idle", "p.abs"]
    assert report.by_pass()["p.abs"].repetition == 2
    assert report.by_pass()["p.abs"].rewrites == {"p.abs": 1}
    assert (report.by_pass()["p.abs"].ops_before, report.by_pass()["p.abs"].ops_after) == (3, 2)
    assert idle == [1]


def test_a_group_with_a_number_runs_at_most_so_often() -> None:
    model = chain("Abs", "Abs", "Abs", "Abs")
    run_pipeline(model, repeat(make("p.abs", bypass("Abs")), times=2))
    assert types(model) == ["Abs", "Abs"]


def test_nested_groups() -> None:
    model = chain("Neg", "Abs", "Abs", "Neg", "Cos", "Neg", "Cos", "Neg", "Sin")
    inner = Repeated((Selected("p.abs", (make("p.abs", bypass("Abs")),)),), None)
    outer = Repeated((inner, Selected("p.cos", (make("p.cos", bypass("Cos")),)), Selected("t", (neg_neg,))), None)
    run_pipeline(model, Pipeline((outer,)))
    assert types(model) == ["Sin"]


def test_passes_that_undo_each_other_are_named() -> None:
    def turn(old: str, new: str) -> Callable[[Model, Context], None]:
        def run(model: Model, ctx: Context) -> None:
            for op in model.graph.ops:
                if op.op_type == old:
                    made = Op(new, op.inputs)
                    ctx.replace(f"p.{old.lower()}", {op.result: made.result}, [made])

        return run

    group = repeat(
        make("p.there", turn("Sin", "Cos")), make("p.back", turn("Cos", "Sin")), make("p.idle", lambda m, c: None)
    )
    with pytest.raises(RewriteLoopError) as caught:
        run_pipeline(chain("Sin"), group)
    assert "(p.there,p.back,p.idle)* still changes the model" in str(caught.value)
    assert "p.there (p.sin); p.back (p.cos)" in str(caught.value)


def test_rules_start_again_from_what_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    from gopt.rewrite import Driver

    seen: list[int | None] = []
    whole = Driver.run

    def spy(self: Driver, seeds: list[Op] | None = None) -> int:
        seen.append(None if seeds is None else len(seeds))
        return whole(self, seeds)

    monkeypatch.setattr(Driver, "run", spy)
    monkeypatch.setattr("gopt.analysis.infer", lambda model: [])
    model = chain(*["Sin", "Cos"] * 20, "Neg", "Abs", "Neg", *["Sin", "Cos"] * 20)
    run_pipeline(model, repeat(neg_neg, make("p.abs", bypass("Abs"))))
    assert len(model.graph) == 80
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1] < 10


def test_a_value_that_becomes_single_use_is_seen_in_the_next_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.analysis.infer", lambda model: [])
    model = chain("Neg", "Neg", "Sin")
    graph = model.graph
    side = graph.add(Op("Cos", [graph.ops[0].result], [Value("side")]))

    def drop(model: Model, ctx: Context) -> None:
        ctx.remove("p.drop", [side])

    @rule(P.Neg(P.Neg("x")), name="t.strict")
    def strict(rw: Rewriter, x: Value) -> Value:
        return rw.Abs(x)  # type: ignore[no-any-return]

    run_pipeline(model, repeat(strict, make("p.drop", drop)))
    assert types(model) == ["Abs", "Sin"]


def test_the_limit_ends_a_run() -> None:
    model = chain("Abs", "Abs", "Abs")
    ctx = Context(model, Ledger(limit=2))
    ran: list[str] = []
    late = make("p.late", lambda m, c: ran.append("late"))
    report = run_pipeline(model, [*[make("p.abs", bypass("Abs"))] * 3, late], ctx)
    assert types(model) == ["Abs"]
    assert report.limited
    assert report.total == 2
    assert ran == []


def test_the_listeners_leave_with_the_run() -> None:
    model = chain("Abs", "Sin")
    ctx = Context(model)
    run_pipeline(model, repeat(make("p.abs", bypass("Abs"))), ctx, [Progress(lambda name: None), Seen()])
    assert model.graph.listeners == []
    assert ctx.ledger.listeners == []


def fail(error: Exception) -> Pass:
    def run(model: Model, ctx: Context) -> None:
        raise error

    return make("p.bad", run)


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (ValueError("odd"), PassError, "p.bad failed: ValueError: odd"),
        (GraphError("dangling"), PassError, "p.bad: dangling"),
        (ModelError("no such input"), ModelError, "no such input"),
        (MemoryError(), ResourceError, "p.bad: out of memory"),
    ],
)
def test_what_a_pass_raises_names_it(raised: Exception, kind: type[Exception], message: str) -> None:
    model = chain("Abs")
    with pytest.raises(kind) as caught:
        run_pipeline(model, repeat(fail(raised)))
    assert message in str(caught.value)
    assert caught.value is raised or caught.value.__cause__ is raised
    assert model.graph.listeners == []


class Seen(Instrument):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self, model: Model, pipeline: str) -> None:
        self.told.append(f"start {pipeline}")

    def before(self, name: str, model: Model) -> None:
        self.told.append(f"before {name} {len(model.graph)}")

    def after(self, run: PassRun, model: Model) -> None:
        self.told.append(f"after {run.name} {len(model.graph)}")

    def rewrite(self, entry: Entry, model: Model) -> None:
        self.told.append(f"rewrite {entry.number} {entry.rule}")

    def finish(self, model: Model, report: Report) -> None:
        self.told.append(f"finish {report.total}")


def test_instruments_see_each_step_and_rewrite() -> None:
    seen = Seen()
    run_pipeline(chain("Neg", "Neg", "Abs", "Sin"), [neg_neg, make("p.abs", bypass("Abs"))], instruments=[seen])
    assert seen.told == [
        "start t.neg_neg,p.abs",
        "before t.neg_neg 4",
        "rewrite 1 t.neg_neg",
        "after t.neg_neg 2",
        "before p.abs 2",
        "rewrite 2 p.abs",
        "after p.abs 1",
        "finish 2",
    ]


def test_timing_writes_a_line_per_step() -> None:
    stream = io.StringIO()
    run_pipeline(chain("Neg", "Neg", "Sin"), [neg_neg, make("p.idle", lambda m, c: None)], instruments=[Timing(stream)])
    first, second, last = stream.getvalue().splitlines()
    assert first.endswith("3 ->      1 ops  t.neg_neg: 1 rewrites")
    assert second.endswith("p.idle: nothing")
    assert "3 ->      1 ops  in all, type inference" in last


def test_a_broken_model_is_blamed_on_the_step() -> None:
    def check(model: Model) -> None:
        if "Abs" not in types(model):
            raise GraphError("no Abs")

    steps = [neg_neg, make("p.abs", bypass("Abs"))]
    with pytest.raises(PassError, match=r"p\.abs \(step 2\) left a broken model: no Abs"):
        run_pipeline(chain("Neg", "Neg", "Abs", "Sin"), steps, instruments=[VerifyEach(check)])


def test_the_built_in_check_accepts_what_the_runner_does() -> None:
    run_pipeline(chain("Neg", "Neg", "Abs", "Sin"), [neg_neg, abs_to_relu], instruments=[VerifyEach()])


def test_changed_numbers_are_blamed_on_the_step() -> None:
    def compare(model: Model) -> str:
        return "" if "Abs" in types(model) else "output y: 1.0 instead of 2.0"

    steps = [neg_neg, make("p.abs", bypass("Abs"))]
    with pytest.raises(VerificationError, match=r"after p\.abs \(step 2\) .* output y"):
        run_pipeline(chain("Neg", "Neg", "Abs", "Sin"), steps, instruments=[CompareEach(compare)])


def test_dumps_are_written_when_something_changed(tmp_path: Path) -> None:
    pytest.importorskip("gopt.ir.printer")
    steps = [neg_neg, make("p.idle", lambda m, c: None), make("p.abs", bypass("Abs"))]
    run_pipeline(chain("Neg", "Neg", "Abs", "Sin"), steps, instruments=[DumpWhenChanged(tmp_path / "dumps")])
    files = sorted((tmp_path / "dumps").iterdir())
    assert [f.name for f in files] == ["000-input.txt", "001-t.neg_neg.txt", "002-p.abs.txt"]
    assert "Abs" in files[1].read_text()
    assert "Abs" not in files[2].read_text()


def test_a_report_is_plain_data() -> None:
    import json

    report = run_pipeline(chain("Neg", "Neg", "Sin"), [neg_neg])
    told = json.loads(json.dumps(report.as_dict()))
    assert told["rewrites"] == {"t.neg_neg": 1}
    assert told["passes"][0]["name"] == "t.neg_neg"


def test_rules_work_in_bodies_too() -> None:
    model = chain("Sin")
    graph = model.graph
    body = Graph("body", graph.opsets, graph.names)
    cond = graph.add_const(ArrayTensor(np.array(True)), "cond")
    op = Op("If", [cond], [Value("z")], {"then_branch": _attr(body), "else_branch": _attr(_leaf(graph))})
    graph.add(op)
    inner = body.capture(graph.inputs[0])
    first = body.add(Op("Neg", [inner], [Value("b0")]))
    second = body.add(Op("Neg", [first.result], [Value("b1")]))
    body.set_output(0, body.add(Op("Sin", [second.result], [Value("b2")])).result)
    graph.set_output(1, op.result)
    run_pipeline(model, repeat(neg_neg, make("p.abs", bypass("Abs"))))
    assert [o.op_type for o in body.ops] == ["Sin"]


def _attr(body: Graph) -> Attr:
    return Attr.of(body)


def _leaf(outer: Graph) -> Graph:
    body = Graph("leaf", outer.opsets, outer.names)
    value = body.add_const(ArrayTensor(np.zeros((2, 3), np.float32)), "zeros")
    assert value.role is Role.CONST
    body.set_output(0, value)
    return body


def test_a_pass_over_single_ops_says_what_it_leaves_and_why() -> None:
    @dataclass(frozen=True)
    class Positive(OpPass):
        """Neg(Neg(x)) -> x"""

        needs = ("Neg",)

        def at(self, rw: Rewriter, op: Op) -> dict[Value, Value] | Reject:
            inner = op.inputs[0].producer if op.inputs[0] is not None else None
            if inner is None:
                return rw.reject("it is the first")
            if inner.op_type != "Neg":
                raise RejectError("nothing is negated twice")
            assert inner.inputs[0] is not None
            return {op.result: inner.inputs[0]}

    Positive.name = "test.positive"
    model = parse(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) '
        "{ a = Neg(x) b = Abs(a) c = Neg(b) d = Neg(c) y = Relu(d) }"
    )
    ctx = Context(model, Ledger(keep_rejections=True))
    Positive().run(model, ctx)
    assert [op.op_type for op in model.graph.ops] == ["Neg", "Abs", "Relu"]
    assert [e.rule for e in ctx.ledger.entries] == ["test.positive"]
    assert [r.reason for r in ctx.ledger.rejections] == ["it is the first", "nothing is negated twice"]
