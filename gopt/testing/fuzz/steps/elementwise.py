"""Steps that compute element by element."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Value
from ..sketch import FLOATS, INTEGERS, Misfit, Sketch, dtype, shape
from .core import axis, step

_UNARY = (
    *("Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Identity", "Ceil", "Floor", "Round", "Sign", "Erf", "Softplus"),
    *("Abs", "Neg", "Relu", "Sigmoid", "Tanh", "Identity", "Exp", "Cos", "Sin", "Atan", "Softsign", "Elu", "Selu"),
    *("LeakyRelu", "HardSigmoid", "HardSwish", "Mish", "Celu", "Gelu", "ThresholdedRelu", "Shrink", "Dropout"),
    *("Sinh", "Cosh", "Asinh", "Swish"),
)
_ALPHA = ("Elu", "LeakyRelu", "HardSigmoid", "Celu", "ThresholdedRelu")
_BINARY = ("Add", "Sub", "Mul", "Add", "Mul", "Max", "Min", "Sub", "Add", "Mul", "Sum", "Mean", "PRelu")
_COMPARE = ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")


@step(8)
def unary(s: Sketch) -> Value:
    """One operand."""
    op_type = s.pick(_UNARY)
    attrs = (
        {"alpha": float(s.pick([0.1, 0.5, 1.0, 1.0, 0.0, 2.0, 1 / 6]))} if op_type in _ALPHA and s.chance(0.5) else {}
    )
    if op_type == "HardSigmoid" and s.chance(0.5):
        attrs["beta"] = float(s.pick([0.5, 0.0, 0.6]))
    if op_type == "Gelu" and s.chance(0.5):
        return s.op(op_type, s.some(FLOATS), approximate=s.pick(["none", "tanh"]))
    if op_type in ("Abs", "Neg", "Sign", "Relu", "Identity") and s.chance(0.3):
        return s.op(op_type, s.recent())
    return s.op(op_type, s.some(FLOATS), **attrs)


@step(2)
def of_positive(s: Sketch) -> Value:
    """Roots, logarithms and reciprocals of what is above zero (mostly)."""
    x = s.some(FLOATS)
    if not s.chance(0.1):
        x = s.op(s.pick(["Abs", "Exp", "Sigmoid"]), x) if s.chance(0.6) else s.op("Mul", x, x)
        if s.chance(0.6):
            x = s.op("Add", x, s.constant(np.array(s.pick([1e-5, 0.5, 1.0]), dtype(x).numpy)))
    return s.op(s.pick(["Sqrt", "Log", "Reciprocal", "Sqrt"]), x)


@step(12)
def with_constant(s: Sketch) -> Value:
    """A constant as the other operand, on either side; often once more, so that there is something to put together."""
    x = s.some(FLOATS if s.chance(0.8) else INTEGERS)
    for _ in range(s.pick([1, 1, 2, 3])):
        op_type = s.pick(_BINARY)
        constant = s.constant(s.data(dtype(x), s.beside(shape(x))))
        operands = [constant, x] if s.chance(0.4) and op_type != "PRelu" else [x, constant]
        x = s.op(op_type, *operands)
    return x


@step(5)
def of_two(s: Sketch) -> Value:
    """Two values that broadcast."""
    x = s.some(FLOATS if s.chance(0.8) else INTEGERS)
    return s.op(s.pick([*_BINARY[:-1], "Pow"] if s.chance(0.1) else _BINARY[:-1]), *_pair(s, x))


def _pair(s: Sketch, x: Value) -> list[Value]:
    """The value and one that broadcasts with it; now and then itself."""
    if s.chance(0.1):
        return [x, x]
    other = s.recent(lambda v: dtype(v) is dtype(x) and _broadcasts(shape(v), shape(x)) and v is not x)
    return [other, x] if s.chance(0.5) else [x, other]


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1]))


@step(3)
def quotient(s: Sketch) -> Value:
    """Division by constants that are not zero, or by what is above zero; of integers too."""
    x = s.some(FLOATS if s.chance(0.75) else INTEGERS)
    if dtype(x) in FLOATS and s.chance(0.4):
        try:
            a, b = _pair(s, x)
        except Misfit:
            a, b = x, x
        return s.op("Div", a, s.op("Add", s.op("Abs", b), s.constant(np.array(0.5, dtype(x).numpy))))
    data = s.data(dtype(x), s.beside(shape(x)), positive=True)
    if dtype(x) in FLOATS and s.chance(0.3):
        data = -data
    constant = s.constant(data)
    if dtype(x) in FLOATS:
        if s.chance(0.2):
            return s.op("Div", constant, s.op("Add", s.op("Abs", x), s.constant(np.array(0.5, dtype(x).numpy))))
        return s.op("Div", x, constant)
    return s.op(s.pick(["Div", "Mod"]), x, constant)


@step(2)
def power(s: Sketch) -> Value:
    """Powers with constant exponents."""
    x = s.some(FLOATS)
    exponent = float(s.pick([2, 2, 3, 1, 0, 0.5, -1, -0.5, 4]))
    if exponent % 1 or exponent < 0:
        x = s.op("Add", s.op("Abs", x), s.constant(np.array(0.1, dtype(x).numpy)))
    kind = (
        DType.FLOAT
        if s.chance(0.2)
        else DType.INT64
        if exponent >= 0 and not exponent % 1 and s.chance(0.2)
        else dtype(x)
    )
    return s.op("Pow", x, s.constant(np.full(s.pick([(), (1,)]), exponent, kind.numpy)))


@step(4)
def clip(s: Sketch) -> Value:
    """Bounds that are constant, or one of them missing; now and then in the wrong order; twice."""
    x = s.some(FLOATS if s.chance(0.8) else INTEGERS)
    for _ in range(s.pick([1, 1, 2])):
        bounds: list[Value | None] = []
        for sign in (-1, 1):
            number = s.pick([0.0, 6.0, 1.0, 0.5, np.inf, 3.0]) * sign if s.chance(0.9) else s.rng.normal()
            if dtype(x) in INTEGERS:
                number = float(np.clip(np.nan_to_num(number, posinf=100, neginf=-100), -100, 100))
            data = np.asarray(number)
            if dtype(x) in INTEGERS:
                data = np.clip(data, np.iinfo(dtype(x).numpy).min, np.iinfo(dtype(x).numpy).max)
            bounds.append(None if s.chance(0.3) else s.constant(data.astype(dtype(x).numpy)))
        x = s.op("Clip", x, *bounds)
    return x


@step(3)
def cast(s: Sketch) -> Value:
    """Casts and chains of them."""
    x = s.recent()
    for _ in range(s.pick([1, 2, 2])):
        to = s.pick((*FLOATS, DType.FLOAT, DType.INT64, DType.INT32, DType.BOOL, *INTEGERS))
        if dtype(x) in FLOATS and to in INTEGERS:
            x = s.op("Clip", x, s.constant(np.array(0, dtype(x).numpy)), s.constant(np.array(100, dtype(x).numpy)))
        if s.chance(0.15):
            like = s.recent(lambda v: dtype(v) in FLOATS)
            x = s.op("CastLike", x, like)
        else:
            x = s.op("Cast", x, to=int(to))
    return x


@step(4)
def comparison(s: Sketch) -> Value:
    """Comparisons, Where on them, logic with them."""
    x = s.recent(lambda v: dtype(v) is not DType.BOOL)
    if s.chance(0.6):
        other = s.constant(s.data(dtype(x), s.beside(shape(x))))
    else:
        other = _pair(s, x)[0]
    condition = s.op(s.pick(_COMPARE), x, other)
    if s.chance(0.3):
        condition = s.op("Not", condition)
    if s.chance(0.3):
        return s.op("Cast", condition, to=int(dtype(x)))
    return s.op("Where", condition, x, other) if s.chance(0.6) else condition


@step(2)
def logic(s: Sketch) -> Value:
    """And, Or, Xor, Not of booleans, constants among them."""
    x = s.recent(lambda v: dtype(v) is DType.BOOL)
    kind = s.rng.random()
    if kind < 0.25:
        return s.op("Not", x)
    other = s.constant(s.data(DType.BOOL, s.beside(shape(x)))) if kind < 0.6 else _pair(s, x)[0]
    return s.op(s.pick(["And", "Or", "Xor", "Equal"]), x, other)


@step(2)
def where(s: Sketch) -> Value:
    """Where with constant branches or a constant condition."""
    x = s.recent(lambda v: dtype(v) is not DType.BOOL)
    if s.chance(0.4):
        condition = s.constant(s.data(DType.BOOL, s.beside(shape(x))))
    else:
        condition = s.recent(lambda v: dtype(v) is DType.BOOL and _broadcasts(shape(v), shape(x)))
    other = s.constant(s.data(dtype(x), s.beside(shape(x))))
    return s.op("Where", condition, *([x, other] if s.chance(0.5) else [other, x]))


@step(1)
def bits(s: Sketch) -> Value:
    """Bit operations."""
    x = s.some(INTEGERS)
    kind = s.rng.random()
    if kind < 0.2:
        return s.op("BitwiseNot", x)
    if kind < 0.5:
        x = s.recent(lambda v: dtype(v) in (DType.UINT8, DType.UINT32, DType.UINT64))
        shift = s.constant(s.rng.integers(0, 5, s.beside(shape(x))).astype(dtype(x).numpy))
        return s.op("BitShift", x, shift, direction=s.pick(["LEFT", "RIGHT"]))
    other = s.constant(s.data(dtype(x), s.beside(shape(x)))) if s.chance(0.5) else _pair(s, x)[0]
    return s.op(s.pick(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), x, other)


@step(1)
def checks(s: Sketch) -> Value:
    """IsNaN and IsInf."""
    return s.op(s.pick(["IsNaN", "IsInf"]), s.some(FLOATS))


@step(2)
def affine(s: Sketch) -> Value:
    """x * a + b per channel, in one of the ways to write it."""
    x = s.some(FLOATS, (2, 3, 4))
    dims = (shape(x)[1], *(1,) * (len(shape(x)) - 2))
    a, b = (s.constant(s.data(dtype(x), dims)) for _ in range(2))
    y = s.op(s.pick(["Mul", "Mul", "Div"]), x, a if s.chance(0.9) else s.constant(s.data(dtype(x), shape(x))))
    return s.op(s.pick(["Add", "Sub"]), *([y, b] if s.chance(0.7) else [b, y]))


@step(2)
def gate(s: Sketch) -> Value:
    """x times a function of itself, as activations are written."""
    x = s.some(FLOATS)
    kind = s.rng.random()
    one, three, six = (s.constant(np.array(n, dtype(x).numpy)) for n in (1.0, 3.0, 6.0))
    if kind < 0.3:
        return s.op("Mul", x, s.op(s.pick(["Sigmoid", "Tanh", "HardSigmoid", "Softplus"]), x))
    if kind < 0.5:
        inner = s.op("Clip", s.op("Add", x, three), s.constant(np.array(0, dtype(x).numpy)), six)
        return s.op("Div", s.op("Mul", x, inner), six)
    if kind < 0.75:
        root = s.constant(np.array(s.pick([1.4142135, 1.4142135, 2.0]), dtype(x).numpy))
        half = s.constant(np.array(0.5, dtype(x).numpy))
        return s.op("Mul", s.op("Mul", x, s.op("Add", s.op("Erf", s.op("Div", x, root)), one)), half)
    return s.op("Mul", x, s.op("Tanh", s.op("Softplus", x)))


@step(1)
def softmax(s: Sketch) -> Value:
    """Softmax and its kin, behind a factor or a mask."""
    x = s.some(FLOATS, (1, 2, 3, 4))
    if s.chance(0.4):
        x = s.op(s.pick(["Mul", "Add"]), x, s.constant(s.data(dtype(x), s.beside(shape(x)))))
    return s.op(s.pick(["Softmax", "Softmax", "LogSoftmax", "Hardmax"]), x, axis=axis(s, len(shape(x))))
