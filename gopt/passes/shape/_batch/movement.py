"""How operators that move elements carry the samples of a batch on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....ir import Dim, Op
from ....ops import attribute
from ....ops.contents import entries, numbers
from ....ops.sizes import product, quotient, total
from .edits import END, AsReshape, SetSizes
from .layout import Along, Refusal, Size, Times
from .rules import axis_of, everywhere, only, only_first
from .walk import Walk, rule


@rule("Transpose")
def transpose(w: Walk, op: Op) -> Sequence[Along | None]:
    """Axes change their places."""
    along = only_first(w, op)
    rank = w.rank(op.inputs[0])
    perm = attribute(op, "perm") or tuple(reversed(range(rank)))
    return [along.on(list(perm).index(along.axis))]


# -- reshapes ----------------------------------------------------------------------------------------------------------


@rule("Reshape", shapes=[1])
def reshape(w: Walk, op: Op) -> Sequence[Along | None]:
    """Elements keep their order, so that the samples stay where they are in it."""
    along = only_first(w, op)
    target = w.old_entries(w.operand(op, 1))
    found = w.choose(places(w, w.shape(op.inputs[0]), along, w.shape(op.result)))
    if not w.fits(op, found):
        w.edit(SetSizes(op, 1, sizes(w.shape(op.result), found, target, along.axis)))
    return [found]


@rule("Flatten", "Squeeze", "Unsqueeze", shapes=[1])
def restructured(w: Walk, op: Op) -> Sequence[Along | None]:
    """The same; where the op as it is does not do this, a Reshape does."""
    along = only_first(w, op)
    natural = [] if op.op_type == "Flatten" else _shifted(w, op, along)
    if natural and along.times == 1:
        return natural
    possible = places(w, w.shape(op.inputs[0]), along, w.shape(op.result), may_fail=bool(natural))
    natural += [p for p in possible if p not in natural and w.fits(op, p)]
    clean = [p for p in possible if p.times == 1]
    found = w.choose(list(dict.fromkeys([*clean, *natural, *possible])))
    if not w.fits(op, found):
        w.edit(AsReshape(op, 0, sizes(w.shape(op.result), found, None, None)))
    return [found]


def _shifted(w: Walk, op: Op, along: Along) -> list[Along]:
    """Where the samples lie after axes of one element went or came; nowhere if their own went."""
    before, after = w.rank(op.inputs[0]), w.rank(op.result)
    axes = w.operand(op, 1)
    found = numbers(axes)
    if op.op_type == "Squeeze":
        if axes is None:
            found = tuple(k for k, dim in enumerate(w.shape(op.inputs[0])) if dim == 1)
        gone = {a % before for a in found or ()}
        if not found or along.axis in gone:
            return []
        return [along.on(along.axis - sum(a < along.axis for a in gone))]
    if not found:
        return []
    new = {a % after for a in found}
    return [along.on([k for k in range(after) if k not in new][along.axis])]


def sizes(
    shape: Sequence[Dim], along: Along, target: Sequence[Dim | None] | None, copied: int | None
) -> tuple[Size, ...]:
    """A Reshape's target: numbers, times the batch size along its axis, what stood there where that is not known.

    Args:
        shape: what the result was like.
        along: where the samples lie in it.
        target: what stood there.
        copied: the axis of the operand whose size can't be copied (by a 0) any more, because it holds the batch.

    Raises:
        Refusal: more than one size is not known.
    """
    if any(isinstance(dim, int) and dim == 0 for dim in shape):
        raise Refusal("a value without elements")
    made: list[Size] = []
    for axis, dim in enumerate(shape):
        said = target[axis] if target is not None and len(target) == len(shape) else None
        if axis == along.axis:
            made.append(Times(along.times) if isinstance(along.times, int) else -1)
        elif isinstance(dim, int):
            made.append(dim)
        else:
            made.append(0 if isinstance(said, int) and said == 0 and axis != copied else -1)
    if made.count(-1) > 1:
        raise Refusal("sizes that it needs are not known")
    return tuple(made)


def places(w: Walk, before: Sequence[Dim], along: Along, after: Sequence[Dim], may_fail: bool = False) -> list[Along]:
    """Where the samples can lie after a change of shape that keeps the order of elements; the likeliest first.

    Raises:
        Refusal: they can lie along no one axis.
    """
    ahead = product((*before[: along.axis], along.outer))
    behind = product((along.inner, *before[along.axis + 1 :]))
    found: list[tuple[int, Along]] = []
    for axis, dim in enumerate(after):
        outer, inner = _part(ahead, after[:axis]), _part(behind, after[axis + 1 :])
        if outer is None or inner is None or product((outer, inner, w.was)) != dim:
            continue
        found.append((_unlikely(outer, inner, axis == len(after) - 1), Along(axis, outer, inner)))
    if not found and not may_fail:
        raise Refusal(f"from {list(before)} to {list(after)} the samples end up along no one axis")
    return [place for _, place in sorted(found, key=lambda entry: entry[0])]


def _part(whole: Dim, others: Sequence[Dim]) -> Dim | None:
    """What others must be multiplied with to give a product; None if nothing is known to."""
    rest = product(others)
    try:
        part = quotient(whole, rest)
    except ValueError:
        return None
    return part if product((part, rest)) == whole else None


def _unlikely(outer: Dim, inner: Dim, last: bool) -> int:
    """An axis of its own is likeliest; then the major part of one that is not the last (features mostly stay apart)."""
    if outer == 1 and inner == 1:
        return 0
    if outer == 1:
        return 3 if last else 1
    return 2 if inner == 1 else 4


# -- parts and wholes --------------------------------------------------------------------------------------------------


@rule("Concat")
def concat(w: Walk, op: Op) -> Sequence[Along | None]:
    """Beside each other along another axis; along the batch's own as blocks, each of all samples."""
    axis = axis_of(op, w.rank(op.result))
    layouts = [w.layout(v) for v in op.inputs]
    found = next(along for along in layouts if along is not None)
    if found.axis == axis:
        within = w.was == 1 and all(a is not None and (a.axis, a.outer) == (axis, 1) for a in layouts)
        if within and any(a is not None and a.inner != 1 for a in layouts) and w.choose((True, False)):
            raise Refusal("it puts something beside the samples of the batch")  # unless they are taken apart
        if any(a is None or a.axis != axis or a.inner != found.inner for a in layouts):
            raise Refusal("it puts something beside the samples of the batch")
        return [Along(axis, total(a.outer for a in layouts if a is not None), found.inner)]
    for slot, along in enumerate(layouts):
        if along is None:
            w.spread(op, slot, found)
        elif along != found:
            raise Refusal("it combines values in which the samples lie in different places")
    return [found]


@rule("Split", shapes=[1])
def split(w: Walk, op: Op) -> Sequence[Along | None]:
    """Along another axis; along the batch's own only into whole blocks."""
    along = only_first(w, op)
    axis = axis_of(op, w.rank(op.inputs[0]))
    if axis != along.axis:
        if w.is_sized(w.operand(op, 1)):
            raise Refusal("it splits by the batch size")
        return everywhere(op, along)
    inner = along.numbers()[1]
    block = inner * w.was
    counts = [w.shape(v)[axis] for v in op.outputs]
    if any(not isinstance(c, int) or c % block for c in counts):
        raise Refusal("it takes the samples of a batch apart")
    blocks = [c // block for c in counts if isinstance(c, int)]
    if w.operand(op, 1) is not None:
        w.edit(SetSizes(op, 1, tuple(Times(n * inner) for n in blocks)))
    return [Along(axis, n, inner) for n in blocks]


@rule("Slice", shapes=[1, 2, 3, 4])
def slices(w: Walk, op: Op) -> Sequence[Along | None]:
    """Along other axes; along the batch's own all of it, or whole blocks."""
    along = only_first(w, op)
    rank = w.rank(op.inputs[0])
    starts, ends, axes, steps = (w.operand(op, slot) for slot in (1, 2, 3, 4))
    old, new = ((w.old_entries(v) for v in (starts, ends)), (entries(v) for v in (starts, ends)))
    (first, last), (first_now, last_now) = old, new
    which = numbers(axes) if axes is not None else None if first is None else tuple(range(len(first)))
    if first is None or last is None or first_now is None or last_now is None or which is None:
        raise Refusal("its bounds are not known")
    step = (1,) * len(which) if steps is None else numbers(steps)
    for k, axis in enumerate(which):
        if axis % rank != along.axis:
            if (first[k], last[k]) != (first_now[k], last_now[k]):
                raise Refusal("its bounds depend on the batch size")
            continue
        if step is None or step[k] != 1:
            raise Refusal("it takes single samples out of the batch")
        along = _block(w, op, along, k, (first, last), (first_now, last_now))
    return [along]


def _block(w: Walk, op: Op, along: Along, k: int, old: Any, new: Any) -> Along:
    """Entry k of the bounds is along the batch: all of it, or whole blocks."""
    outer, inner = along.numbers()
    block = inner * w.was
    size = outer * block
    bounds = [(n if n >= 0 else n + size) if isinstance(n, int) else None for n in (old[0][k], old[1][k])]
    if bounds[0] is None or bounds[1] is None:
        raise Refusal("its bounds are not known")
    low, high = min(max(bounds[0], 0), size), min(max(bounds[1], 0), size)
    if low >= high or low % block or high % block:
        raise Refusal("it takes single samples out of the batch")
    made = Along(along.axis, (high - low) // block, inner)
    if made == along:
        if not w.fits(op, along):
            _set(w, op, 2, k, old[1], END)
            if old[0][k] != 0:
                _set(w, op, 1, k, old[0], 0)
        return along
    _set(w, op, 1, k, old[0], Times(low // block * inner) if low else 0)
    _set(w, op, 2, k, old[1], Times(high // block * inner))
    return made


def _set(w: Walk, op: Op, slot: int, k: int, found: Sequence[Dim | None], size: Size) -> None:
    """Put one bound in the place of another."""
    known = [n if isinstance(n, int) else None for n in found]
    if any(n is None for j, n in enumerate(known) if j != k):
        raise Refusal("its bounds are not known")
    w.edit(SetSizes(op, slot, tuple(size if j == k else n for j, n in enumerate(known) if n is not None or j == k)))  # type: ignore[misc]


@rule("Expand", shapes=[1])
def expand(w: Walk, op: Op) -> Sequence[Along | None]:
    """Other axes may grow; at the batch's own axis the target says 1, which leaves it as it is."""
    data = only_first(w, op)
    rank = w.rank(op.result)
    along = data.on(data.axis + rank - w.rank(op.inputs[0]))
    if w.shape(op.result)[along.axis] != along.size(w.was):
        raise Refusal("it spreads the batch axis over something else")
    if not w.fits(op, along):
        target = w.old_entries(op.inputs[1])
        place = along.axis - (rank - len(target)) if target is not None else -1
        if target is None or place < 0 or any(not isinstance(n, int) for j, n in enumerate(target) if j != place):
            raise Refusal("the sizes that it expands to are not known")
        made = tuple(n if isinstance(n, int) and j != place else 1 for j, n in enumerate(target))
        w.edit(SetSizes(op, 1, made))
    return [along]


@rule("Tile", shapes=[1])
def tile(w: Walk, op: Op) -> Sequence[Along | None]:
    """Along the batch's own axis: whole batches one after the other."""
    along = only_first(w, op)
    repeats = w.old_entries(w.operand(op, 1))
    times = None if repeats is None else repeats[along.axis]
    if not isinstance(times, int) or times < 1:
        raise Refusal("how often it repeats is not known")
    return [Along(along.axis, product((along.outer, times)), along.inner)]


@rule("Pad", shapes=[1, 3])
def pad(w: Walk, op: Op) -> Sequence[Along | None]:
    """Nothing is added along the batch."""
    along = only_first(w, op)
    rank = w.rank(op.inputs[0])
    pads, axes = entries(w.operand(op, 1)), w.operand(op, 3)
    which = tuple(range(rank)) if axes is None else numbers(axes)
    if pads is None or which is None:
        raise Refusal("how much it pads is not known")
    for k, axis in enumerate(which):
        if axis % rank == along.axis and (pads[k], pads[k + len(which)]) != (0, 0):
            raise Refusal("it pads the batch")
    return [along]


@rule("Resize", "Upsample", shapes=[1, 2, 3])
def resize(w: Walk, op: Op) -> Sequence[Along | None]:
    """The batch must stay as large as it is."""
    along = only_first(w, op)
    if op.op_type == "Resize" and attribute(op, "coordinate_transformation_mode") == "tf_crop_and_resize":
        raise Refusal("it crops")
    if w.fits(op, along):
        return [along]
    wanted = w.old_entries(op.input(3))
    outer, inner = along.numbers()
    if wanted is None or len(wanted) != w.rank(op.result) or not all(isinstance(n, int) for n in wanted):
        raise Refusal("it resizes the batch")
    made = tuple(Times(outer * inner) if k == along.axis else n for k, n in enumerate(wanted) if isinstance(n, int))
    w.edit(SetSizes(op, 3, made))
    return [along]


# -- other ------------------------------------------------------------------------------------------------------------


@rule("OneHot", shapes=[1])
def one_hot(w: Walk, op: Op) -> Sequence[Along | None]:
    """A new axis among those of the indices."""
    only(w, op, (0,))
    along = only_first(w, op)
    axis = axis_of(op, w.rank(op.result))
    return [along if along.axis < axis else along.on(along.axis + 1)]


@rule("Shape", "Size")
def measured(w: Walk, op: Op) -> Sequence[Along | None]:
    """Sizes depend on no sample; on how many there are only as far as their contents say."""
    w._sizes(op)
    return [None] * len(op.outputs)
