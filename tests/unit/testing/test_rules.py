"""Every built-in rule, tried on generated models; and wrong rules, each of which must be found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gopt import Numerics, P, rule
from gopt.ir import Op, Value
from gopt.passes import REGISTRY
from gopt.rewrite import Rewriter, Rule
from gopt.rewrite.pattern import Pattern
from gopt.testing import check_rule

FAMILIES = ("inline", "fold", "clean", "layout", "fuse", "lower", "npu")
RULES = [rule for family in FAMILIES for rule in REGISTRY.find(family) if isinstance(rule, Rule)]


@pytest.mark.parametrize("given", RULES, ids=lambda given: given.name)
def test_a_rule_fires_and_keeps_the_numbers(given: Rule) -> None:
    report = check_rule(given, cases=16)
    assert report.failures == [], "\n".join(report.details)
    assert report.fired > 1
    assert report.cases == 16


@pytest.mark.slow
@pytest.mark.parametrize("given", RULES, ids=lambda given: given.name)
def test_a_rule_on_many_models(given: Rule) -> None:
    report = check_rule(given, cases=150, seed=1)
    assert report.failures == [], "\n".join(report.details)
    assert report.fired >= 15, "the generator hardly ever makes what the rule wants"


@pytest.mark.parametrize("given", RULES, ids=lambda given: given.name)
def test_a_rule_has_an_example(given: Rule) -> None:
    assert given.example  # `check_rule` starts from it, and fails if the rule does not fire there


# -- rules that are wrong ----------------------------------------------------------------------------------------------

WRONG: list[Rule] = []


def wrong(pattern: Pattern, numerics: Numerics = Numerics.ROUNDING) -> Callable[[Callable[..., Any]], Rule]:
    """A rule that must be found out."""

    def decorate(fn: Callable[..., Any]) -> Rule:
        WRONG.append(rule(pattern, numerics=numerics, name=f"wrong.{fn.__name__}")(fn))
        return WRONG[-1]

    return decorate


@wrong(P.Div("x", P.const("c")))
def quotient_as_product(rw: Rewriter, x: Value, c: Value) -> Any:
    return rw.Mul(x, c)


@wrong(P.Relu("x"))
def dropped_relu(rw: Rewriter, x: Value) -> Any:
    return x


@wrong(P.Relu(P.Add("x", "y")))
def distributed_relu(rw: Rewriter, x: Value, y: Value) -> Any:
    return rw.Add(rw.Relu(x), rw.Relu(y))


@wrong(P.Mul("x", P.const("c", value=1)), Numerics.EXACT)
def ones_that_enlarge(rw: Rewriter, x: Value, c: Value) -> Any:
    return x


@wrong(P.Add("x", P.const("c", value=0)), Numerics.EXACT)
def sign_of_zero(rw: Rewriter, x: Value, c: Value) -> Any:
    return x if rw.array(c).ndim == 0 else rw.reject("it may enlarge the result")


@wrong(P.Mul("x", P.const("c", value=0)), Numerics.EXACT)
def zero_times_nan(rw: Rewriter, x: Value, c: Value) -> Any:
    shape = rw.shape(x)
    if shape is None or not all(isinstance(d, int) for d in shape) or rw.array(c).ndim:
        return rw.reject("the shape is not known")
    return rw.const(np.zeros(shape), like=x)


@wrong(P.AveragePool(P.Pad("x", P.const("pads"), ...)).as_("pool"))
def padding_not_counted(rw: Rewriter, pool: Op, x: Value, pads: Value) -> Any:
    array = rw.array(pads)
    spatial = len(array) // 2 - 2
    if rw.attr(pool, "pads") and any(rw.attr(pool, "pads")):
        return rw.reject("it has pads of its own")
    own = [int(n) for n in (*array[2 : 2 + spatial], *array[4 + spatial :])]
    if any(array) != any(own) or rw.attr(pool, "auto_pad") != "NOTSET" or min(own, default=0) < 0:
        return rw.reject("pads of other axes")
    return rw.AveragePool(x, **{**rw.copy_attrs(pool), "pads": own})


@wrong(P.MaxPool(P.Pad("x", P.const("pads"), ...)).as_("pool"))
def padding_that_is_ignored(rw: Rewriter, pool: Op, x: Value, pads: Value) -> Any:
    return rw.MaxPool(x, **rw.copy_attrs(pool))


@wrong(P.Softmax(P.Softmax("x")).as_("root"))
def wrong_axis(rw: Rewriter, x: Value, root: Op) -> Any:
    return rw.Softmax(rw.Sigmoid(x), axis=0)


@wrong(P.Add(P.Conv("x", P.const("w")).as_("conv"), P.const("c")))
def bias_along_any_axis(rw: Rewriter, conv: Op, x: Value, w: Value, c: Value) -> Any:
    if rw.array(c).size != rw.array(w).shape[0]:
        return rw.reject("it is no bias")
    return rw.Conv(x, w, rw.const(rw.array(c).reshape(-1)), **rw.copy_attrs(conv))


@wrong(P.Mul(P.Conv("x", P.const("w"), P.opt("b")).as_("conv"), P.const("c")))
def scale_without_bias(rw: Rewriter, conv: Op, x: Value, w: Value, b: Value | None, c: Value) -> Any:
    if rw.array(c).ndim:
        return rw.reject("it is no number")
    return rw.Conv(x, rw.const(rw.array(w) * rw.array(c)), b, **rw.copy_attrs(conv))


@wrong(P.Transpose(P.Transpose("x")), Numerics.EXACT)
def any_two_transposes(rw: Rewriter, x: Value) -> Any:
    return x


@wrong(P.Slice("x", ...), Numerics.EXACT)
def any_slice(rw: Rewriter, x: Value) -> Any:
    return x


@wrong(P.Where(P.const("c"), "x", "y"), Numerics.FINITE)
def any_condition(rw: Rewriter, c: Value, x: Value, y: Value) -> Any:
    return x


@wrong(P.Concat(P.each("xs")), Numerics.EXACT)
def first_of_all(rw: Rewriter, xs: tuple[Value, ...]) -> Any:
    return xs[0]


@wrong(P.Cast(P.Cast("x")).as_("second"), Numerics.EXACT)
def casts_that_lose(rw: Rewriter, x: Value, second: Op) -> Any:
    return rw.Cast(x, to=rw.attr(second, "to"))


@wrong(P.Clip(P.Clip("x", P.const("a"), P.const("b")), P.const("c"), P.const("d")), Numerics.EXACT)
def intersection_of_clips(rw: Rewriter, x: Value, a: Value, b: Value, c: Value, d: Value) -> Any:
    low, high = np.maximum(rw.array(a), rw.array(c)), np.minimum(rw.array(b), rw.array(d))
    return rw.Clip(x, rw.const(low), rw.const(high))


@wrong(P.Reshape(P.Reshape("x", "s"), P.const("t")), Numerics.EXACT)
def copied_dims(rw: Rewriter, x: Value, s: Value, t: Value) -> Any:
    return rw.Reshape(x, t)


@wrong(P.Add(P.MatMul("x", "w"), "b"))
def product_of_any_rank(rw: Rewriter, x: Value, w: Value, b: Value) -> Any:
    return rw.Gemm(x, w, b)


@wrong(P.Neg(P.Neg("x")), Numerics.EXACT)
def never_ending(rw: Rewriter, x: Value) -> Any:
    return rw.Neg(rw.Neg(x))


@wrong(P.Exp("x"))
def raising(rw: Rewriter, x: Value) -> Any:
    raise ValueError("not written yet")


@pytest.mark.parametrize("given", WRONG, ids=lambda given: given.name)
def test_a_wrong_rule_is_found_out(given: Rule) -> None:
    report = check_rule(given, cases=10)
    if not report.failures:
        report = check_rule(given, cases=100)
    assert report.failures
    assert report.details
    assert not report.ok
