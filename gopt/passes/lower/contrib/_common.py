"""What the rules share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir import DType, Value
from ....rewrite import RejectError, Rewriter

MS = "com.microsoft"
FLOATS = (DType.FLOAT, DType.FLOAT16, DType.BFLOAT16, DType.DOUBLE)


def text(signature: str, call: str, opset: int = 18) -> str:
    """The text of an example: a model of one op."""
    head = f'<ir_version: 8, opset_import: ["": {opset}, "com.microsoft" : 1]>'
    return f"{head}\nexample {signature} {{ y = com.microsoft.{call} }}"


def number(rw: Rewriter, value: float, like: Value) -> Value:
    """A scalar constant of the element type of another value.

    Raises:
        RejectError: that type is not known, or no type of floats.
    """
    if rw.dtype(like) not in FLOATS:
        raise RejectError("the element type is not known")
    return rw.const(np.asarray(value), like=like)


def transposed(rw: Rewriter, value: Value) -> Value:
    """The same with the last two dims exchanged.

    Raises:
        RejectError: the rank is not known.
    """
    shape = rw.shape(value)
    if shape is None or len(shape) < 2:
        raise RejectError("the rank is not known")
    axes = list(range(len(shape)))
    result: Value = rw.Transpose(value, perm=[*axes[:-2], axes[-1], axes[-2]])
    return result


_PLAIN = frozenset(("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"))
_PARAMETERS = {
    "Elu": (("alpha", 1.0),),
    "HardSigmoid": (("alpha", 0.2), ("beta", 0.5)),
    "LeakyRelu": (("alpha", 0.01),),
    "Selu": (("alpha", 1.6732632), ("gamma", 1.050701)),
    "ThresholdedRelu": (("alpha", 1.0),),
}


def activated(rw: Rewriter, x: Value, kind: str, given: dict[str, float | None]) -> Value:
    """What an activation that was fused into a product makes of it.

    Args:
        kind: its name; "" for none.
        given: its parameters, as far as they are given.

    Raises:
        RejectError: it is not known.
    """
    result: Value
    if not kind:
        return x
    if kind in _PLAIN:
        result = rw.op(kind, x)
    elif kind == "Clip" and given.get("min") is not None and given.get("max") is not None:
        low, high = (number(rw, given[name] or 0.0, x) for name in ("min", "max"))
        result = rw.Clip(x, low, high)
    elif kind in _PARAMETERS:
        known: dict[str, Any] = dict(_PARAMETERS[kind])
        known |= {name: value for name in known if (value := given.get(name)) is not None}
        result = rw.op(kind, x, **known)
    else:
        raise RejectError(f"the activation {kind} is not known")
    return result


def needed(rw: Rewriter, most: int) -> None:
    """See to it that of the root's results only the first ones are used.

    Raises:
        RejectError: others are.
    """
    if any(v is not None and v.is_needed for v in rw.root.outputs[most:]):
        raise RejectError("a result is used that has no counterpart")
