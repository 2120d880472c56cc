"""Intermediate values become outputs."""

from __future__ import annotations

import onnx
import pytest

from gopt.errors import UsageError
from gopt.frontends.onnx import load, to_proto
from gopt.frontends.text import parse
from gopt.ir import Model
from gopt.ir.printer import type_text
from gopt.passes import parse as pipeline
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Ledger

TEXT = """<ir_version: 8, opset_import: ["": 17]>
g (float[N,4] x, bool c) => (float[N,4] y) <float[4] w = {1,2,3,4}> {
  [first] a = Mul(x, w)
  [split] p, q = Split<axis = 1>(a)
  s = Concat<axis = 0>(p, q)
  [branch] e = If(c) <then_branch = t () => (float[N,2] inner) { [deep] inner = Neg(p) },
                      else_branch = f () => (float[N,2] other) { other = Sin(q) }>
  both = Concat<axis = 1>(e, q)
  y = Relu(both)
}"""


def exposed(passes: str, text: str = TEXT) -> list[str]:
    model = parse(text)
    run_pipeline(model, passes)
    proto = to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return [value.name for value in proto.graph.output]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("value=a", ["a"]),
        ("value=s+a", ["a", "s"]),
        ("node=split", ["p", "q"]),
        ("op_type=Concat", ["s", "both"]),
        ("regex=^[pq]$", ["p", "q"]),
        ("regex=o", ["both"]),
        ("all", ["a", "p", "q", "s", "e", "both"]),
        ("value=a;node=split;op_type=If", ["a", "p", "q", "e"]),
        ("value=y", []),
    ],
)
def test_what_is_selected_comes_after_the_outputs_in_dataflow_order(options: str, names: list[str]) -> None:
    assert exposed(f"expose:{options}") == ["y", *names]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("value=aa", "there is no value 'aa'; did you mean 'a'"),
        ("value=inner", "value 'inner' lies in a body of If 'branch'"),
        ("value=x", "is an input"),
        ("value=w", "is a constant"),
        ("node=firs", "there is no node 'firs'; did you mean 'first'"),
        ("node=deep", "node 'deep' lies in a body of If 'branch'"),
        ("op_type=concat", "the model has no concat; did you mean 'Concat'"),
        ("op_type=Neg", "all Neg of the model lie in bodies"),
        ("regex=zzz", "no value has a name that matches 'zzz'"),
        ('regex="["', "is no regular expression"),
    ],
)
def test_what_there_is_not_is_an_error_of_one_line(options: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        exposed(f"expose:{options}")
    assert "\n" not in str(error.value)


def test_something_must_be_selected() -> None:
    with pytest.raises(UsageError, match="needs one of"):
        exposed("expose")


def test_values_of_functions_are_told_apart() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]> g (float[3] x) => (float[3] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 17]> f (a) => (b) { h = Neg(a) b = Sin(h) }"""
    with pytest.raises(UsageError, match="'h' lies in the function 'f'"):
        exposed("expose:value=h", text)
    assert exposed("inline,expose:op_type=Neg", text)[0] == "y"


def outputs(text: str, passes: str) -> dict[str, str]:
    """What a file says of the outputs."""
    model = parse(text)
    run_pipeline(model, passes)
    written = load(to_proto(model))
    return {v.name: type_text(v.declared.type) for v in written.graph.outputs if v.declared is not None}


def test_types_are_inferred_and_never_those_of_value_info() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]>
    g (float[N,4] x) => (float[N,2] y) <float[7,7,7] a> {
      a = Neg(x)  n = NonZero(x)  s = SequenceConstruct(a, a)  p, y = Split<axis = 1>(a) }"""
    found = outputs(text, "expose:all")
    assert found["a"] == "float[N,4]"
    assert found["n"] == "int64[2,?]"
    assert found["s"] == "seq(float[N,4])"
    assert found["p"] == "float[N,2]"


def test_of_an_unknown_operator_only_the_declared_element_type_is_told() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    g (float[N,4] x) => (float[N,2] y) <float16[9] a> { a = acme.Odd(x)  b = acme.Odd(a)  y = acme.Odd(b) }"""
    model = parse(text)
    run_pipeline(model, "expose:value=a+b")
    _y, a, b = to_proto(model).graph.output
    assert (a.type.tensor_type.elem_type, a.type.tensor_type.HasField("shape")) == (onnx.TensorProto.FLOAT16, False)
    assert not b.HasField("type")


def test_documentation_of_a_value_stays() -> None:
    proto = to_proto(parse("g (float[3] x) => (float[3] y) <float[9,9] a> { a = Neg(x)  y = Sin(a) }"))
    proto.graph.value_info[0].doc_string = "about a"
    for passes in ("expose:value=a", "extract:inputs=a"):
        model = load(proto)
        run_pipeline(model, passes)
        graph = to_proto(model).graph
        (port,) = [v for v in (*graph.input, *graph.output) if v.name == "a"]
        assert port.doc_string == "about a"
        assert [d.dim_value for d in port.type.tensor_type.shape.dim] == [3]
        assert not graph.value_info


def test_each_value_is_an_entry_of_the_ledger() -> None:
    model = parse(TEXT)
    ctx = Context(model, Ledger(limit=1))
    run_pipeline(model, "expose:node=split", ctx)
    assert [entry.key for entry in ctx.ledger.entries] == ["cut.expose(p)"]
    assert [v.name for v in model.graph.outputs] == ["y", "p"]


def test_exposing_twice_changes_nothing_more() -> None:
    assert exposed("expose:value=a,expose:value=a+s") == ["y", "a", "s"]


def test_what_is_exposed_survives_what_comes_after() -> None:
    names = exposed("expose:value=p+s,@default")
    assert names == ["y", "p", "s"]


def test_a_selection_of_the_family_leaves_it_out() -> None:
    with pytest.raises(UsageError, match="must be named in full"):
        pipeline("cut")
    assert str(pipeline("expose:value=a+b;all")) == "cut.expose:value=a+b;all=true"


def test_a_model_in_memory_stays_valid() -> None:
    from gopt.ir.check import check

    model: Model = parse(TEXT)
    run_pipeline(model, "expose:all")
    check(model)
