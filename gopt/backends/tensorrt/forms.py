"""What TensorRT demands of the form of a model that no row of a table says."""

from __future__ import annotations

from collections.abc import Iterator

from ... import ops
from ...frontends.onnx.placeholders import placeholders
from ...ir import DType, Model, Op, Role, Symbol, TensorType, Value
from ...ops.contents import entries
from ..base import Blocker, kind


def examine(model: Model) -> Iterator[Blocker]:
    """What is in the way of a model beside the operators that it has."""
    yield from _names(model)
    for graph in model.graphs():
        for op in graph.ops:
            look = _FORMS.get(op.op_type) if not op.domain else None
            if look is not None:
                yield from look(op)


def narrowed(model: Model) -> int:
    """How many ops compute in double precision, which TensorRT narrows to single precision unasked."""
    ops_ = (op for graph in model.graphs() for op in graph.ops if not op.domain and not op.bodies)
    return sum(
        any(t is not None and t.dtype is DType.DOUBLE for t in map(_type, (*op.inputs, *op.outputs)))
        for op in ops_
        if op.op_type not in ("Cast", "Shape", "Size")
    )


def _names(model: Model) -> Iterator[Blocker]:
    """Dims called "?" throughout, which TensorRT holds for one and the same size."""
    count = sum(map(placeholders, model.graph.inputs))
    if count > 1:
        reason = f'{count} dims of inputs have one name that stands for no name ("?"), and would have to be equal'
        yield Blocker("", "", "form", reason, "lower.dims", evidence="measured")


def _squeeze(op: Op) -> Iterator[Blocker]:
    if ops.has_operand(op, "axes"):
        return
    type_ = _type(ops.operands(op)[0])
    if type_ is None or type_.shape is None:
        yield _form(op, "without axes, of an operand of unknown rank", "lower.squeeze")
        return
    open_ = [(axis, dim) for axis, dim in enumerate(type_.shape) if isinstance(dim, Symbol) and dim.least < 2]
    if open_:
        names = ", ".join(dim.name or f"of axis {axis}" for axis, dim in open_)
        settle = tuple((dim.name, 1) for _, dim in open_ if dim.name)
        hint = " ".join(f"--dim {name}=1" for name, _ in settle)
        reason = f"without axes: the rank of the result depends on whether dim {names} is 1"
        yield _form(op, reason, "lower.squeeze", hint, settle)


def _if(op: Op) -> Iterator[Blocker]:
    condition = op.input(0)
    if condition is not None and condition.const is not None:
        return
    branches = op.bodies
    if len(branches) != 2:
        return
    for inner in (inner for branch in branches for graph in branch.walk() for inner in graph.ops):
        if why := _unbuilt(inner):
            yield _form(op, why, "lower.recurrent", f"decide the branch: {_freezing(condition)}")
            break
    for place, (a, b) in enumerate(zip(branches[0].outputs, branches[1].outputs)):
        ta, tb = _type(a), _type(b)
        if ta is None or tb is None or ta.rank is None or tb.rank is None or ta.rank == tb.rank:
            continue
        reason = f"result {place} has {tb.rank} dims in one branch and {ta.rank} in the other"
        yield _form(op, reason, "lower.branches", f"decide the branch: {_freezing(condition)}")


def undecided(model: Model) -> str:
    """What may help where the builder fails on a model with branches: both are built for the same sizes; "" if none."""
    for graph in model.graphs():
        for op in graph.ops:
            condition = op.input(0) if op.op_type == "If" and not op.domain else None
            if condition is not None and condition.const is None:
                return f"decide the branches, which are built for the same sizes: {_freezing(condition)}"
    return ""


_RECURRENT = frozenset(("GRU", "LSTM", "RNN"))


def _unbuilt(op: Op) -> str:
    """Why the builder fails on a layer in a branch: not all its states are used; "" if it does not."""
    if op.domain or op.op_type not in _RECURRENT:
        return ""
    states = op.output(0)
    return "" if states is not None and states.is_needed else f"of {op.label} in a branch not all states are used"


def _freezing(condition: Value | None) -> str:
    """How somebody may decide a condition: by a constant in the place of the input or dim that it is computed from."""
    inputs: dict[Value, None] = {}
    dims: dict[str, None] = {}
    constants: list[str] = []
    todo = [condition]
    for _ in range(20):
        value = todo.pop() if todo else None
        if value is None:
            continue
        value = value.outer
        op = value.producer
        sizes = [d.name for d in entries(value) or () if isinstance(d, Symbol) and d.name]
        if sizes:
            dims.update(dict.fromkeys(sizes))
        elif value.role is Role.INPUT:
            inputs[value] = None
        elif value.const is not None and value.const.size == 1:
            constants.append(str(value.const.item()))
        elif op is not None:
            todo += op.inputs
    example = constants[0] if len(constants) == 1 else "VALUE"
    words = [f"--freeze {v.name}={example}" for v in inputs] + [f"--dim {name}={example}" for name in dims]
    return " ".join(words) or "fix the dims or inputs that it depends on"


def _loop(op: Op) -> Iterator[Blocker]:
    body = op.bodies[0] if op.bodies else None
    if body is None:
        return
    carried = len(op.inputs) - 2
    stacked = [v for v in op.outputs[carried:] if v is not None and v.is_needed]
    if stacked and (op.input(0) is None):
        yield _form(op, "stacked results without a trip count", "lower.loops.trip_count")
    if len(stacked) < len(body.outputs) - 1 - carried:
        yield _form(op, "a stacked result is not used", "inline.carried")
    given = body.inputs[1] if len(body.inputs) > 1 else None
    if op.input(1) is None and given is not None and given.uses:
        yield _form(op, "no condition is given, but its body takes one", "lower.loops.condition")
    for k in range(carried):
        before, after = _type(op.input(2 + k)), _type(body.outputs[1 + k])
        if before is None or after is None or before.shape is None or after.shape is None:
            continue
        if len(before.shape) != len(after.shape) or any(
            isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(before.shape, after.shape)
        ):
            yield _form(
                op, f"carried value {k} does not keep its shape", "", "the shape must be the same in every turn"
            )


def _scan(op: Op) -> Iterator[Blocker]:
    if len(op.inputs) == (ops.attribute(op, "num_scan_inputs") or 0):
        yield _form(op, "nothing is carried from turn to turn", "", "a Loop would do")


def _quantize(op: Op) -> Iterator[Blocker]:
    zero = op.input(2)
    if zero is None:
        return
    if zero.const is None:
        yield _form(op, "the zero point is not constant", "lower.quantized")
    elif zero.const.dtype.is_integer and bool(zero.const.numpy().any()):
        yield _form(op, "the zero point is not 0", "lower.quantized")


def _matmul(op: Op) -> Iterator[Blocker]:
    a, b = (_type(v) for v in (op.input(0), op.input(1)))
    if a is not None and b is not None and a.rank == 1 and (b.rank or 0) > 2:
        yield _form(op, "a vector is multiplied by a stack of matrices", "lower.ranks.vector")


def _form(op: Op, reason: str, remedy: str = "", hint: str = "", settle: tuple[tuple[str, int], ...] = ()) -> Blocker:
    return Blocker(op.label, kind(op), "form", reason, remedy, hint, "measured", settle=settle)


def _type(value: Value | None) -> TensorType | None:
    return value.type if value is not None and isinstance(value.type, TensorType) else None


_FORMS = {
    "DequantizeLinear": _quantize,
    "If": _if,
    "Loop": _loop,
    "MatMul": _matmul,
    "QuantizeLinear": _quantize,
    "Scan": _scan,
    "Squeeze": _squeeze,
}
