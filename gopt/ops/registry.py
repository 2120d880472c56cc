"""The registry of operators: what each of them is, its shape rule and its kernel.

A family file registers with `define` (table style) or with the decorators `shape_rule` and `kernel`; all three may name
the same operator, in any order, from one file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..ir import Array, Op, Type, Value

if TYPE_CHECKING:
    from .evaluate import Call

InferRule = Callable[[Op], "Sequence[Type | None]"]
"""From an op whose operands have types to the types of its results, in order. May give fewer than there are results,
and None for what it cannot tell. Exceptions that a malformed op causes mean None for all."""

Kernel = Callable[["Call"], "Array | tuple[Array, ...]"]
"""Computes results with numpy. Raises `NoKernel` for what it cannot compute faithfully."""


@dataclass(slots=True, eq=False)
class OpDef:
    """What gopt knows of an operator.

    Attributes:
        name: operator type.
        domain: operator domain; the standard one is "".
        infer: its shape rule.
        kernel: its numpy kernel.
        elementwise: a map over numpy-broadcast operands (unary ones included): result[i] depends on operands[i] alone.
        commutative: exchanging the two operands changes nothing.
        random: its results differ from run to run. `is_random` knows the operators that only sometimes are.
        quantize: of the QuantizeLinear/DequantizeLinear family; folding it would lose the quantization.
        control: has bodies.
        work: number of elementary operations that its kernel does for an op of known types; None: as many as there are
            elements among operands and results. Raises or gives None for what is not known.
    """

    name: str
    domain: str = ""
    infer: InferRule | None = None
    kernel: Kernel | None = None
    elementwise: bool = False
    commutative: bool = False
    random: bool = False
    quantize: bool = False
    control: bool = False
    work: Callable[[Op], int | None] | None = None


_standard: dict[str, OpDef] = {}
_others: dict[tuple[str, str], OpDef] = {}


def opdef(op: Op) -> OpDef | None:
    """What is known of the op's operator; None if nothing is."""
    if not op.domain:
        return _standard.get(op.op_type)
    return _others.get((op.domain, op.op_type))


def find(op_type: str, domain: str = "") -> OpDef | None:
    """What is known of an operator by its name."""
    return _others.get((domain, op_type)) if domain else _standard.get(op_type)


def definitions() -> tuple[OpDef, ...]:
    """All registered operators."""
    return (*_standard.values(), *_others.values())


def define(
    name: str,
    *,
    domain: str = "",
    infer: InferRule | None = None,
    kernel: Kernel | None = None,
    work: Callable[[Op], int | None] | None = None,
    **flags: bool,
) -> OpDef:
    """Register an operator, or complete its entry. Flags are the boolean fields of `OpDef`.

    Raises:
        ValueError: the operator has another shape rule or kernel already.
    """
    found = find(name, domain)
    if found is None:
        found = OpDef(name, domain)
        if domain:
            _others[domain, name] = found
        else:
            _standard[name] = found
    for field, given in (("infer", infer), ("kernel", kernel), ("work", work)):
        if given is not None:
            if not _is_again(getattr(found, field), given):
                raise ValueError(f"{name} has two entries for {field}")
            setattr(found, field, given)
    for flag, value in flags.items():
        setattr(found, flag, value)
    return found


def _is_again(old: object, new: object) -> bool:
    """True if there was nothing, or the same function of a plugin that is loaded once more."""
    if old is None:
        return True
    place = ("__module__", "__qualname__")
    return old is not new and all(getattr(old, n, old) == getattr(new, n, new) for n in place)


def shape_rule(*names: str, domain: str = "", **flags: Any) -> Callable[[InferRule], InferRule]:
    """Register the decorated function as the shape rule of the named operators.

    It is given an `Op` and returns a type, or None, for each of its results; what a malformed op makes it raise means
    that nothing is known of them. `value.type` of an operand is a `TensorType` of element type and shape, or None.
    """

    def decorate(function: InferRule) -> InferRule:
        for name in names:
            define(name, domain=domain, infer=function, **flags)
        return function

    return decorate


def kernel(*names: str, domain: str = "", **flags: Any) -> Callable[[Kernel], Kernel]:
    """Register the decorated function as the kernel of the named operators."""

    def decorate(function: Kernel) -> Kernel:
        for name in names:
            define(name, domain=domain, kernel=function, **flags)
        return function

    return decorate


def is_random(op: Op) -> bool:
    """True if the op's results may differ from run to run: random operators, Dropout that is (or may be) training."""
    found = opdef(op)
    if found is None or not found.random:
        return False
    return op.op_type != "Dropout" or op.domain != "" or _may_train(op)


def _may_train(dropout: Op) -> bool:
    """Dropout < 7 trains unless `is_test`; 7 and 10 never do; since 12 operand `training_mode` says (default false)."""
    if dropout.opset < 7:
        return not dropout.attr("is_test", 0)
    mode: Value | None = dropout.input(2)
    if mode is None:
        return False
    tensor = mode.const
    return tensor is None or bool(tensor.numpy().any())
