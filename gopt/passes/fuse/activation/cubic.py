"""Gelu by Tanh between two products, whose matrices can take over a factor of its polynomial."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import multiplied
from .._polynomials import polynomial

_FEWEST = 3
"""Pow, Mul and Add are what stays of the polynomial."""


@rule(
    P.MatMul(P.Mul("x", P.Sigmoid("inner").as_("gate")).as_("product"), P.const("w")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,3] z) => (float[N,2] y) <float[3,2] v = {1, 2, 3, -1, -2, 3}, float[2,2] w = {1, 2, 3, 4}, "
        "float e = {3}, float c = {0.044715}, float k = {1.5957691}> { x = MatMul(z, v) a = Pow(x, e) b = Mul(a, c) "
        "d = Add(x, b) f = Mul(d, k) g = Sigmoid(f) h = Mul(x, g) y = MatMul(h, w) }"
    ),
)
def between_products(rw: Rewriter, product: Op, gate: Op, x: Value, inner: Value, w: Value) -> Value:
    """(x * Sigmoid(p x + q x**3)) W, x = z V + b -> (t * Sigmoid(r t + t**3)) (W / s), t = z (V s) + b s, s = q**(1/3)

    Applies to single and double precision, where the opset has no Gelu, if x is made by a product with a constant
    matrix, nothing else uses it or what is made of it, and there are fewer ops afterwards. All factors are rounded
    once.
    """
    if rw.opset() >= 20:
        raise RejectError("there is Gelu")
    dtype = rw.dtype(x)
    if dtype not in (DType.FLOAT, DType.DOUBLE):
        raise RejectError("it is not of single or double precision")
    terms, between = polynomial(inner, x), _between(inner, x)
    if set(terms) != {1, 3} or terms[3] <= 0:
        raise RejectError("it is another polynomial")
    held = {x: {*between, product}, **{op.result: {*between, gate} for op in between}}
    if any(value.is_output or not {use.op for use in value.uses} <= users for value, users in held.items()):
        raise RejectError("x, or what is made of it, is used elsewhere")
    if len(between) <= _FEWEST:
        raise RejectError("there would be no fewer ops")
    scale = float(np.cbrt(terms[3]))
    made, scaled = _scaled(rw, x, scale), _times(rw, w, 1 / scale)
    cube = rw.Pow(made, rw.const(3.0, like=dtype))
    line = rw.Mul(made, rw.const(terms[1] / scale, like=dtype))
    gated = rw.Mul(made, rw.Sigmoid(rw.Add(line, cube), name=gate.name), name=product.name)
    found: Value = rw.MatMul(gated, scaled, name=rw.root.name)
    return found


def _between(value: Value, x: Value) -> set[Op]:
    """The ops that make a polynomial of x."""
    found: set[Op] = set()
    todo = [value]
    while todo:
        op = todo.pop().producer
        if op is not None and op not in found:
            found.add(op)
            todo += [v for v in op.inputs if v is not None and v is not x and v.const is None]
    return found


def _scaled(rw: Rewriter, x: Value, scale: float) -> Value:
    """`x` times a number that the matrix and the bias which make it take over.

    Raises:
        RejectError: x is not made so, or not for itself alone.
    """
    op, bias = x.producer, None
    if op is not None and op.op_type == "Add" and not op.domain:
        bias = next((v for v in op.inputs if v is not None and v.const is not None), None)
        product = next((v for v in op.inputs if v is not None and v is not bias), None)
        if bias is None or product is None or product.is_output or not product.has_one_use:
            raise RejectError("x is no product with a bias")
        op = product.producer
    if op is None or op.op_type != "MatMul" or op.domain or op.inputs[0] is None or op.inputs[1] is None:
        raise RejectError("x is no product")
    made: Value = rw.MatMul(op.inputs[0], _times(rw, op.inputs[1], scale), name=op.name)
    return made if bias is None else rw.Add(made, _times(rw, bias, scale))


def _times(rw: Rewriter, weights: Value, factor: float) -> Value:
    """Constant weights that nothing else takes, times a number.

    Raises:
        RejectError: they are no such.
    """
    if weights.const is None or not weights.has_one_use:
        raise RejectError("the weights are not constant, or used elsewhere")
    array = rw.array(weights)
    dtype = weights.const.dtype
    return rw.const(multiplied(array, np.full((1,) * array.ndim, factor), dtype), name=weights.name)
