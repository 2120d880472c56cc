"""What the engine once got wrong."""

from __future__ import annotations

import pytest

from gopt.frontends.text import parse
from gopt.passes.registry import REGISTRY
from gopt.rewrite import Context, Ledger, Rule, apply_rules
from tests.unit.passes.clean.rewriting import rewrite


def test_keys_of_entries_are_unique_whatever_the_names() -> None:
    """The count in a key was lost where a name has a # of its own, so that two entries had one key."""
    ledger = Ledger()
    keys = []
    for name in ("a#1", "a#1", "a#2", "b)", "b)", "c", "c", "c"):
        key = ledger.key("rule", [name])
        ledger.commit("rule", key, (), ())
        keys.append(key)
    assert keys == [
        *("rule(a#1)", "rule(a#1)#2", "rule(a#2)", "rule(b))", "rule(b))#2"),
        *("rule(c)", "rule(c)#2", "rule(c)#3"),
    ]


def test_rules_see_the_types_that_follow_from_what_they_did() -> None:
    """With the Identity gone the Slice has a known size; the types were inferred anew only before the next step."""
    text = (
        "(float[4] x) => (float[3] y) <int64[1] one = {1}, int64[1] four = {4}, int64[1] three = {3}> "
        "{ i = Identity(one) a = Slice(x, i, four) b = Reshape(a, three) y = Neg(b) }"
    )
    assert rewrite(text, "clean.identity").ops == ["Slice", "Neg"]
    assert rewrite(text, "(clean.identity)*").ops == ["Slice", "Neg"]


@pytest.mark.parametrize("op_type", ["Add", "Min", "Max"])
def test_a_long_chain_that_becomes_one_op_is_no_loop(op_type: str) -> None:
    """Each commit takes in one op more; there may be any number of them."""
    body = " ".join(f"x{k + 1} = {op_type}(x{k}, c{k % 2})" for k in range(300))
    constants = "<float[2] c0 = {1, 2}, float[2] c1 = {2, 1}>"
    assert rewrite(f"(float[2] x0) => (float[2] x300) {constants} {{ {body} }}", "fuse").ops == [op_type]


def test_a_long_row_of_decisions_is_no_loop() -> None:
    """Each repetition of the group decides the next branch."""
    body = " ".join(
        f"b{k + 1} = If(b{k}) <then_branch = t () => (bool t{k}) {{ t{k} = Not(b{k}) }}, "
        f"else_branch = e () => (bool e{k}) {{ e{k} = Identity(b{k}) }}>"
        for k in range(300)
    )
    text = f"(float[2] x) => (float[2] y) <bool b0 = {{1}}> {{ {body} c = Cast<to = 1>(b300) y = Mul(x, c) }}"
    assert len(rewrite(text, "@default").ops) <= 1


def test_equal_captures_are_equal_to_the_bit() -> None:
    """0 and -0 were taken for the same operand twice: of the two Min takes -0."""
    text = (
        "(float[1] x) => (float[1] y) <float[1] a = {0.0}, float[1] b = {-0.0}, float[1] c = {-0.0}> "
        "{ m = Min(a, b) n = Min(b, c) s = Div(x, m) t = Div(x, n) y = Sub(s, t) }"
    )
    assert rewrite(text, "clean.identity").ops == ["Min", "Div", "Div", "Sub"]


def test_ops_in_the_body_of_an_op_that_is_gone_are_left_alone() -> None:
    """They were rewritten, or led to endless recursion where they took what nothing captured any more."""
    model = parse("""<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x, bool p) => (float[2] y) {
        z = If(p) <then_branch = t () => (float[2] a) { b = Identity(x) a = Neg(b) },
                   else_branch = e () => (float[2] c) { d = Identity(x) c = Abs(d) }>
        y = Neg(x) }""")
    branches = [op for op in model.graph.ops if op.bodies]
    inner = [op for body in branches[0].bodies for op in body.ops]
    ctx = Context(model)
    assert ctx.remove("test", branches) == 1
    rules = [r for r in REGISTRY.find("clean.identity") if isinstance(r, Rule)]
    assert apply_rules(ctx, rules, inner) == 0


def test_an_output_keeps_its_name_where_one_op_stands_for_two_values() -> None:
    """The name of the second value was given to what had that of the output."""
    text = (
        "(float[2,3,1] x) => (float[1,3,2] a, float[3,2] c) <int64[2] shape = {3, 2}> "
        "{ a = Transpose<perm = [2, 1, 0]>(x) b = Transpose<perm = [2, 1, 0]>(x) c = Reshape(b, shape) }"
    )
    found = rewrite(text, "layout.transpose")
    assert [v.name for v in found.model.graph.outputs] == ["a", "c"]
    assert found.ops == ["Transpose", "Reshape"]
