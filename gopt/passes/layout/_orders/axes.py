"""Operators that work along axes: Concat, Split, Slice, Gather, Pad, reductions, Softmax ... with these renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .... import ops
from ....ir import Op, Value
from ....rewrite import Numerics, Rewriter
from .elementwise import lowered
from .perms import Perm, having, inverse, perm_of, rank_of, shape_of, then, without
from .way import Held, Orders, Way, again, carrier, same_order, turned

_EXACT_REDUCTIONS = ("ReduceMax", "ReduceMin")
_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")


@carrier("Transpose")
def transpose(op: Op, value: Value, perm: Perm) -> Way | None:
    """Whatever the order, the result is the operand itself, held in the order that fits."""
    x, own = op.inputs[0], perm_of(op)
    if own is None or x is None or x.const is not None:
        return None
    orders = Orders()
    orders.put(x, perm if value is x else then(own, perm))
    orders.put(op.result, then(inverse(own), perm) if value is x else perm)
    return Way(orders.found, lambda rw, held: [held(x)], more=-1) if orders.ok else None


@carrier("Concat")
def concat(op: Op, value: Value, perm: Perm) -> Way | None:
    """All operands in one order."""
    axis = _axis(op, len(perm))
    orders = Orders()
    for operand in (*op.inputs, op.result):
        if rank_of(operand) != len(perm):
            return None
        orders.put(operand, perm)
    if axis is None or not orders.ok:
        return None

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        operands = [turned(rw, held, v, perm) for v in op.inputs if v is not None]
        return again(rw, op, operands, axis=perm.index(axis))

    return Way(orders.found, build)


@carrier("Split", "TopK")
def several(op: Op, value: Value, perm: Perm) -> Way | None:
    """All results in the operand's order."""
    operands = ops.operands(op)
    axis, x = _axis(op, len(perm)), operands[0]
    orders = Orders()
    orders.put(x, perm)
    for result in op.outputs:
        orders.put(result, perm)
    if axis is None or x is None or value in operands[1:] or not orders.ok:
        return None
    return Way(
        orders.found,
        lambda rw, held: again(rw, op, [turned(rw, held, x, perm), *operands[1:]], axis=perm.index(axis)),
    )


@carrier("Softmax", "LogSoftmax", "Hardmax", "LpNormalization")
def along_one(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axis moves. Away from the last place that costs: runtimes transpose for it, there and back."""
    rank = len(perm)
    axis, x, orders = _axis(op, rank), op.inputs[0], same_order(op, perm)
    if axis is None or x is None or orders is None or (op.op_type != "LpNormalization" and op.opset < 13):
        return None
    leaves = axis == rank - 1 and perm[-1] != axis
    return Way(
        orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm)], axis=perm.index(axis)), more=int(leaves)
    )


@carrier("CumSum")
def cumulative(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axis, an operand, moves."""
    found, x, orders = ops.ints(op, "axis"), op.inputs[0], same_order(op, perm)
    axes = None if found is None else _counted(found, len(perm))
    if axes is None or len(axes) != 1 or x is None or orders is None or value not in orders:
        return None
    return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm), rw.const(perm.index(axes[0]))]))


@carrier("Slice")
def slices(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axes move, and are said where all were meant."""
    operands = ops.operands(op)
    x, orders = operands[0], same_order(op, perm)
    axes: tuple[int, ...] | None
    if len(operands) > 3 and operands[3] is not None:
        axes = ops.ints(op, "axes")
    else:
        starts = shape_of(operands[1])
        axes = tuple(range(starts[0])) if starts is not None and len(starts) == 1 and type(starts[0]) is int else None
    axes = None if axes is None else _counted(axes, len(perm))
    if axes is None or x is None or orders is None or value in operands[1:]:
        return None
    moved = [perm.index(a) for a in axes]

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        places = rw.const(moved, like=operands[1])  # all bounds are of one type
        return again(rw, op, [turned(rw, held, x, perm), *operands[1:3], places, *operands[4:]])

    return Way(orders, build)


@carrier("Gather")
def gather(op: Op, value: Value, perm: Perm) -> Way | None:
    """A single index takes its axis away, a list of them keeps it."""
    data, indices = op.inputs
    rank, count = rank_of(data), rank_of(indices)
    axis = None if rank is None else _axis(op, rank)
    if axis is None or rank is None or data is None or count not in (0, 1) or value is indices:
        return None
    orders = Orders()
    if count:
        orders.put(data, perm)
        orders.put(op.result, perm)
        whole = perm
    else:
        whole = perm if value is data else _regained(perm, (axis,), data)
        orders.put(data, whole)
        orders.put(op.result, without(whole, (axis,)))
    if not orders.ok or len(whole) != rank or data is indices:
        return None
    return Way(
        orders.found, lambda rw, held: again(rw, op, [turned(rw, held, data, whole), indices], axis=whole.index(axis))
    )


@carrier(*(f"Reduce{kind}" for kind in _REDUCTIONS), "ArgMax", "ArgMin")
def reduction(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axes move; those that the result lacks stand where they like."""
    x = op.inputs[0]
    rank = rank_of(x)
    is_arg = op.op_type.startswith("Arg")
    axes = None if rank is None else ((_axis(op, rank),) if is_arg else _reduced(op, rank))
    if x is None or rank is None or axes is None or None in axes or value not in (x, op.result):
        return None
    gone = tuple(a for a in axes if a is not None)
    keeps = bool(ops.attribute(op, "keepdims"))
    whole = perm if keeps or value is x else _regained(perm, gone, x)
    orders = Orders()
    orders.put(x, whole)
    orders.put(op.result, whole if keeps else without(whole, gone))
    if not orders.ok or len(whole) != rank:
        return None
    moved = sorted(whole.index(a) for a in gone)

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        data = turned(rw, held, x, whole)
        return again(rw, op, [data], axis=moved[0]) if is_arg else again(rw, op, [data, rw.const(moved)])

    exact = is_arg or op.op_type in _EXACT_REDUCTIONS
    return Way(orders.found, build, numerics=Numerics.EXACT if exact else Numerics.ROUNDING)


def _reduced(op: Op, rank: int) -> tuple[int, ...] | None:
    axes = ops.ints(op, "axes")
    if axes:
        return _counted(axes, rank)
    if ops.has_operand(op, "axes") or ops.attribute(op, "noop_with_empty_axes"):
        return None
    return tuple(range(rank))


def _regained(perm: Perm, gone: Sequence[int], wide: Value) -> Perm:
    """The order of a value of which `perm` is the order without some axes."""
    rank = len(perm) + len(gone)
    kept = [a for a in range(rank) if a not in gone]
    return having([kept[a] for a in perm], gone, wide)


@carrier("Squeeze")
def squeeze(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axes move; those that the result lacks stand where they like."""
    x = op.inputs[0]
    shape = shape_of(x)
    if x is None or shape is None or value not in (x, op.result):
        return None
    axes = ops.ints(op, "axes")
    if axes is None and not ops.has_operand(op, "axes") and all(type(d) is int for d in shape):
        axes = tuple(a for a, d in enumerate(shape) if d == 1)
    gone = None if not axes else _counted(axes, len(shape))
    if gone is None:
        return None
    whole = perm if value is x else _regained(perm, gone, x)
    orders = Orders()
    orders.put(x, whole)
    orders.put(op.result, without(whole, gone))
    if not orders.ok or len(whole) != len(shape):
        return None
    moved = sorted(whole.index(a) for a in gone)
    return Way(orders.found, lambda rw, held: [rw.Squeeze(turned(rw, held, x, whole), moved, name=op.name)])


@carrier("Unsqueeze")
def unsqueeze(op: Op, value: Value, perm: Perm) -> Way | None:
    """The new axes stand where they like."""
    x, axes = op.inputs[0], ops.ints(op, "axes")
    rank = rank_of(x)
    if x is None or rank is None or not axes or value not in (x, op.result):
        return None
    new = _counted(axes, rank + len(axes))
    if new is None:
        return None
    whole = _regained(perm, new, op.result) if value is x else perm
    orders = Orders()
    orders.put(x, without(whole, new))
    orders.put(op.result, whole)
    if not orders.ok or len(whole) != rank + len(new):
        return None
    moved = sorted(whole.index(a) for a in new)
    return Way(
        orders.found,
        lambda rw, held: [rw.Unsqueeze(turned(rw, held, x, without(whole, new)), moved, name=op.name)],
    )


@carrier("Pad")
def pad(op: Op, value: Value, perm: Perm) -> Way | None:
    """The amounts, or the axes that they belong to, move."""
    operands = ops.operands(op)
    x, orders = operands[0], same_order(op, perm)
    if x is None or orders is None or value not in orders:
        return None
    rest: list[Any]
    fill = operands[2] if len(operands) > 2 else None
    if ops.has_operand(op, "axes"):
        axes = ops.ints(op, "axes")
        counted = None if axes is None else _counted(axes, len(perm))
        if counted is None:
            return None
        rest = [operands[1], fill, [perm.index(a) for a in counted]]
    else:
        pads = ops.ints(op, "pads")
        if pads is None or len(pads) != 2 * len(perm):
            return None
        rest = [[pads[a] for a in perm] + [pads[len(perm) + a] for a in perm], fill]
    return Way(
        orders,
        lambda rw, held: again(
            rw, op, [turned(rw, held, x, perm), *(rw.const(r) if isinstance(r, list) else r for r in rest)]
        ),
    )


@carrier("Tile", "Expand")
def repeated(op: Op, value: Value, perm: Perm) -> Way | None:
    """The counts, or the dims, move."""
    x = op.inputs[0]
    numbers = ops.ints(op, "repeats" if op.op_type == "Tile" else "shape")
    rank = rank_of(op.result)
    if x is None or numbers is None or rank is None or value not in (x, op.result):
        return None
    lead = rank - len(perm)
    whole = (*range(lead), *(a + lead for a in perm))
    own = lowered(whole, rank_of(x))
    if own is None or len(numbers) > rank:
        return None
    filled = (1,) * (rank - len(numbers)) + numbers
    orders = Orders()
    orders.put(x, own)
    orders.put(op.result, whole)
    if not orders.ok:
        return None
    return Way(
        orders.found,
        lambda rw, held: again(rw, op, [turned(rw, held, x, own), rw.const([filled[a] for a in whole])]),
    )


def _axis(op: Op, rank: int) -> int | None:
    axis = ops.attribute(op, "axis")
    return axis % rank if isinstance(axis, int) and -rank <= axis < rank else None


def _counted(axes: Sequence[int], rank: int) -> tuple[int, ...] | None:
    """Axes from the front, in their order; None if one lies outside or is there twice."""
    found = tuple(a % rank for a in axes if -rank <= a < rank)
    return found if len(set(found)) == len(axes) else None
