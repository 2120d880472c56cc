"""Parts of a tensor that are all treated alike: treated once, before it is parted. So attention comes by Q, K and V."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from ...ir import Graph, Model, Op, Shape, Value
from ...ops import NotAvailable
from ...rewrite import Context, RejectError, Rewriter
from ..base import OpPass, Pass, register
from ._orders.perms import Perm, perm_of, without
from ._shapes import RESHAPES, axis_of, infers, is_private, known_shape, reshaped


@register
@dataclass(frozen=True)
class Reshaped(OpPass):
    """Reshape(Split(x)[i]) -> Split(Reshape(x))[i], where that is so for all parts

    Applies to Reshape and its like if each part that is used is used by one of these alone, and the axis along which
    x is parted becomes several, of which all but the first are the same for all parts. Exact.
    """

    needs = ("Split",)

    def at(self, rw: Rewriter, split: Op) -> dict[Value, Value]:
        """What the Reshapes give."""
        return _reshape_first(rw, split)


@register
@dataclass(frozen=True)
class Selected(Pass):
    """Gather(Transpose(Reshape(x)), i) -> Split(Transpose(Reshape(x)))[i], for the i of an axis of few

    Applies where a value is used by Gathers of a single, constant index along one axis of it, and by nothing else. The
    axis is merged with the one behind it (before the Transpose, if there is one), so that the elements are parts of
    that. There must be two Gathers, or three if no Reshape stands before, that could merge the axes too, and half of
    the parts must be used. Exact.
    """

    needs = ("Gather",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each value of which Gathers take a single element."""
        for graph in tuple(model.graphs()):
            for value, gathers in _selections(graph).items():
                if len(gathers) > 1 and value.graph is graph:
                    try:
                        rw = Rewriter(graph, gathers[0])
                        ctx.replace(self.name, _select_by_split(rw, value, gathers), rw.staged)
                    except (NotAvailable, RejectError) as why:
                        ctx.ledger.reject(self.name, gathers[0], str(why))


# -- Reshapes of all parts ---------------------------------------------------------------------------------------------


def _reshape_first(rw: Rewriter, split: Op) -> dict[Value, Value]:
    x = split.inputs[0]
    before, axis = known_shape(x), axis_of(split, x)
    reshapes = {part: _only_reshape(part) for part in split.outputs if part is not None and part.is_needed}
    if len(reshapes) < 2 or x is None:
        raise RejectError("there are no parts to be reshaped")
    tails = {_tail(known_shape(part), known_shape(r.result), axis) for part, r in reshapes.items()}
    if len(tails) > 1:
        raise RejectError("the parts are reshaped in different ways")
    tail = tails.pop()
    sizes = [known_shape(part)[axis] for part in split.outputs]
    counts = [size // prod(tail) if isinstance(size, int) and size % prod(tail) == 0 else 0 for size in sizes]
    if 0 in counts:
        raise RejectError("a part is no multiple of the axes behind")
    whole = (*before[:axis], sum(counts), *tail, *before[axis + 1 :])
    made = reshaped(rw, x, whole, any(map(infers, reshapes.values())))
    parts = rw.Split(made, counts, axis=axis, outputs=len(counts), name=split.name)
    return {reshapes[old].result: new for old, new in zip(split.outputs, parts) if old in reshapes}


def _only_reshape(part: Value) -> Op:
    """The Reshape (or the like) that alone uses a part."""
    user = part.uses[0].op if is_private(part) else None
    if user is None or user.op_type not in RESHAPES or user.domain or user.inputs[0] is not part:
        raise RejectError("a part is used by something else than a Reshape")
    return user


def _tail(before: Shape, after: Shape, axis: int) -> tuple[int, ...]:
    """The dims behind the first of those that an axis becomes."""
    more = len(after) - len(before)
    made = tuple(d for d in after[axis : axis + 1 + more] if isinstance(d, int))
    others = after[:axis] == before[:axis] and after[axis + 1 + more :] == before[axis + 1 :]
    if more < 1 or not others or len(made) != more + 1 or 0 in made or prod(made) != before[axis]:
        raise RejectError("the Reshape does something else than to part the axis")
    return made[1:]


# -- Gathers of single elements ----------------------------------------------------------------------------------------


def _selections(graph: Graph) -> dict[Value, list[Op]]:
    """Gathers of one constant index, by what they take it from."""
    found: dict[Value, list[Op]] = {}
    for op in graph.ops:
        if op.op_type == "Gather" and not op.domain:
            data, index = op.inputs
            constant = None if index is None else index.const
            if data is not None and data.const is None and constant is not None and constant.shape == ():
                found.setdefault(data, []).append(op)
    return found


def _select_by_split(rw: Rewriter, value: Value, gathers: list[Op]) -> dict[Value, Value]:
    axis = _common_axis(value, gathers)
    transpose, perm, source = _transposed(value)
    before, place = known_shape(source), perm[axis]
    count, size = before[place : place + 2] if place + 1 < len(before) else (0, 0)
    if not isinstance(count, int) or not isinstance(size, int) or 0 in (count, size):
        raise RejectError("there is no axis of known size behind the one that is selected from")
    indices = [int(op.inputs[1].const.item()) for op in gathers if op.inputs[1] is not None and op.inputs[1].const]
    if any(not -count <= i < count for i in indices):
        raise RejectError("an index lies outside")
    reshape = source.producer if transpose is None or is_private(source) else None
    if reshape is not None and (reshape.op_type not in RESHAPES or reshape.domain):
        reshape = None
    x = source if reshape is None else reshape.inputs[0]
    if x is None or len(gathers) < (2 if reshape is not None else 3):
        raise RejectError("it would take as many ops")
    merged = (*before[:place], count * size, *before[place + 2 :])
    if count > 2 * len({i % count for i in indices}):
        raise RejectError("most parts would be for nothing")
    made = reshaped(rw, x, merged, reshape is not None and infers(reshape))
    order = without(perm, (place,))
    if transpose is not None:
        made = rw.Transpose(made, perm=list(order), name=transpose.name)
    parts = rw.Split(made, [size] * count, axis=order.index(place), outputs=count)
    return {op.result: parts[i % count] for op, i in zip(gathers, indices)}


def _common_axis(value: Value, gathers: Iterable[Op]) -> int:
    axes = {axis_of(op, value) for op in gathers}
    users = {use.op for use in value.uses}
    if len(axes) > 1 or value.is_output or users != set(gathers):
        raise RejectError("the value is not only selected from, or not along one axis")
    return axes.pop()


def _transposed(value: Value) -> tuple[Op | None, Perm, Value]:
    """The Transpose that gives a value, its permutation, and what it takes; the value itself if there is none."""
    made = value.producer
    if made is not None and made.op_type == "Transpose" and not made.domain:
        perm, source = perm_of(made), made.inputs[0]
        if perm is not None and source is not None:
            return made, perm, source
    return None, tuple(range(len(known_shape(value)))), value
