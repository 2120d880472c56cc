"""Rotary position embeddings: x cos(t) + rotated(x) sin(t), where rotated swaps the halves of x and negates one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import ops
from ...ir import Array, Op, Value
from ...rewrite import Numerics, RejectError, Rewriter
from ..base import OpPass, register
from ._affine import shape_of


@register
@dataclass(frozen=True)
class Rotary(OpPass):
    """Concat(-b, a) * Sin(t * c) -> Concat(b, a) * Sin(t * c'), where c' has the sign of c changed in the first half

    Each query and key of each layer negates half of its elements; the sine that all of them take can do that once, for
    nothing. Applies if nothing but this Sin and Cos takes the angles, nothing but such products takes the sine, and c
    has an element for each place along the axis. Sine and cosine are odd and even to the last bit in most runtimes.
    """

    numerics = Numerics.ROUNDING
    needs = ("Sin",)

    def at(self, rw: Rewriter, sine: Op) -> dict[Value, Value]:
        """The angles with other signs, and the rotated values without negations."""
        parts = _parts(sine)
        if len({(part.signs, part.axis) for part in parts}) != 1:
            raise RejectError("the sine is not multiplied by rotated values, or by various ones")
        found = _angles(rw, sine, parts[0])
        for part in parts:
            joined = rw.Concat(*part.operands, axis=ops.attribute(part.concat, "axis"), name=part.concat.name)
            found[part.concat.result] = joined
        return found


@dataclass(frozen=True)
class _Part:
    """A Concat of which one operand is negated.

    Attributes:
        concat: the op.
        operands: what it would take without that.
        signs: of its elements along the axis.
        axis: counted from behind, so that it holds for what is broadcast with it.
    """

    concat: Op
    operands: tuple[Value, ...]
    signs: tuple[int, ...]
    axis: int


def _parts(sine: Op) -> list[_Part]:
    """What a sine is multiplied by.

    Raises:
        RejectError: something else takes it.
    """
    if sine.result.is_output:
        raise RejectError("the sine is an output")
    found: dict[Op, _Part] = {}
    for use in sine.result.uses:
        if use.op.op_type != "Mul" or use.op.domain or not isinstance(use.slot, int):
            raise RejectError("something else takes the sine")
        other = use.op.inputs[1 - use.slot]
        if other is None or other.is_output or not other.has_one_use:
            raise RejectError("what the sine is multiplied by is used elsewhere")
        part = _rotated(other)
        found[part.concat] = part
    return list(found.values())


def _angles(rw: Rewriter, sine: Op, part: _Part) -> dict[Value, Value]:
    """The angles with the signs of the rotated values.

    Raises:
        RejectError: they are used elsewhere, or no products with a constant that has a place for each sign.
    """
    angles = sine.inputs[0].producer if sine.inputs[0] is not None else None
    if angles is None or angles.op_type != "Mul" or angles.domain or angles.result.is_output:
        raise RejectError("the angles are no product")
    # cos(-t) is cos(t); another sine would change its sign, too, with nothing to make up for it.
    if any(use.op is not sine and (use.op.op_type != "Cos" or use.op.domain) for use in angles.result.uses):
        raise RejectError("the angles are used elsewhere")
    slot = next((k for k, v in enumerate(angles.inputs) if v is not None and v.const is not None), None)
    constant = None if slot is None else angles.inputs[slot]
    if slot is None or constant is None:
        raise RejectError("no factor of the angles is constant")
    changed = rw.const(_with_signs(rw.array(constant), part), name=constant.name)
    operands = [changed if k == slot else v for k, v in enumerate(angles.inputs)]
    return {angles.result: rw.Mul(*operands, name=angles.name)}


def _rotated(value: Value) -> _Part:
    """What is known of Concat(-b, a) or Concat(b, -a).

    Raises:
        RejectError: it is no such thing.
    """
    concat = value.producer
    shape = shape_of(value)
    if concat is None or concat.op_type != "Concat" or concat.domain or shape is None or len(concat.inputs) < 2:
        raise RejectError("it is no Concat")
    axis = ops.attribute(concat, "axis") % len(shape)
    operands, signs = list[Value](), list[int]()
    for operand in concat.inputs:
        sizes = None if operand is None else shape_of(operand)
        size = None if sizes is None else sizes[axis]
        if operand is None or not isinstance(size, int):
            raise RejectError("the size of a part is not known")
        made = operand.producer
        negated = made is not None and made.op_type == "Neg" and not made.domain and operand.has_one_use
        plain = made.inputs[0] if negated and made is not None else operand
        operands.append(operand if plain is None or operand.is_output else plain)
        signs += [1 if operands[-1] is operand else -1] * size
    if -1 not in signs:
        raise RejectError("nothing is negated")
    return _Part(concat, tuple(operands), tuple(signs), axis - len(shape))


def _with_signs(numbers: Array, part: _Part) -> Array:
    """A factor of the angles with the signs of the rotated values.

    Raises:
        RejectError: it is the same for all places along the axis.
    """
    if numbers.ndim < -part.axis or numbers.shape[part.axis] != len(part.signs):
        raise RejectError("the factor has no element for each place")
    signs = np.asarray(part.signs, numbers.dtype).reshape(-1, *[1] * (-part.axis - 1))
    return np.asarray(numbers * signs, numbers.dtype)
