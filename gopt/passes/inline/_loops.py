"""Loop and Scan as their clauses divide them: what is carried from turn to turn, what is cut up, what is stacked."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import AttrKind, Graph, Op, TensorType, Value
from ...ops import attribute


@dataclass(frozen=True)
class Turns:
    """A Loop or a Scan (ONNX operators Loop, Scan since version 9).

    Attributes:
        op: the op.
        body: its body.
        before: operands of the op before the carried ones: trip count and condition of Loop.
        carried: number of values that are carried from turn to turn.
        head: inputs of the body before the carried ones: number of the turn and condition.
        first: outputs of the body before the carried ones: the condition.
    """

    op: Op
    body: Graph
    before: int
    carried: int
    head: int
    first: int

    @property
    def is_loop(self) -> bool:
        """True for Loop, False for Scan."""
        return self.op.op_type == "Loop"

    @property
    def stacked(self) -> int:
        """Number of results that are put together from the turns' outputs."""
        return len(self.body.outputs) - self.first - self.carried

    def initial(self, k: int) -> Value | None:
        """The operand that a carried value begins with."""
        return self.op.input(self.before + k)

    def inner(self, k: int) -> Value:
        """The body's input of a carried value."""
        return self.body.inputs[self.head + k]

    def next(self, k: int) -> Value:
        """The body's output of a carried value (k beyond the carried ones: of a stacked one)."""
        return self.body.outputs[self.first + k]

    def result(self, k: int) -> Value | None:
        """The op's result of a carried value (k beyond the carried ones: of a stacked one)."""
        return self.op.output(k)


def turns_of(op: Op) -> Turns | None:
    """How a Loop or Scan is divided; None for other ops, for malformed ones and for Scan as it was before version 9."""
    if op.domain or op.op_type not in ("Loop", "Scan"):
        return None
    attr = op.attrs.get("body")
    if attr is None or attr.kind is not AttrKind.GRAPH or attr.ref or len(op.bodies) != 1:
        return None
    body: Graph = attr.value
    if op.op_type == "Loop":
        carried = len(op.inputs) - 2
        found = Turns(op, body, 2, carried, 2, 1)
        fits = carried >= 0 and len(body.inputs) == carried + 2
    else:
        count = attribute(op, "num_scan_inputs")
        carried = len(op.inputs) - count if isinstance(count, int) else -1
        found = Turns(op, body, 0, carried, 0, 0)
        fits = op.opset >= 9 and carried >= 0 and len(body.inputs) == len(op.inputs)
    fits = fits and None not in op.inputs[found.before :] and found.stacked >= 0
    return found if fits and len(op.outputs) <= carried + found.stacked else None


def never_changes(turns: Turns, k: int) -> bool:
    """True if a carried value is handed on as it came.

    Not where the body of a Scan exports its own input: ONNX Runtime gives garbage for it from the second turn on, so
    that nobody can say what such a model computes.
    """
    value = turns.next(k)
    if value is turns.inner(k):
        return turns.is_loop
    while (op := value.producer) is not None and op.op_type == "Identity" and not op.domain:
        operand = op.input(0)
        if operand is None:
            return False
        value = operand
    return value is turns.inner(k)


def boolean(value: Value | None) -> bool | None:
    """A constant condition; None if it is not constant, or no condition."""
    tensor = None if value is None else value.const
    return bool(tensor.item()) if tensor is not None and tensor.size == 1 else None


def goes_on(turns: Turns) -> bool | None:
    """What the body of a Loop makes of its condition, if always the same: go on (also: as long as before) or stop."""
    value = turns.body.outputs[0]
    while (op := value.producer) is not None and op.op_type == "Identity" and not op.domain:
        operand = op.input(0)
        if operand is None:
            return None
        value = operand
    return True if value is turns.body.inputs[1] else boolean(value)


def trips(turns: Turns) -> int | None:
    """The number of turns, if it is the same in every run; None if it is not known."""
    op = turns.op
    if turns.is_loop:
        condition = True if op.input(1) is None else boolean(op.input(1))
        limit = _integer(op.input(0))
        if condition is False or (limit is not None and limit <= 0):
            return 0
        goes = goes_on(turns)
        if condition is None or goes is None or (limit is None and (goes or op.input(0) is not None)):
            return None
        return limit if goes else 1
    axes = attribute(op, "scan_input_axes") or (0,) * (len(op.inputs) - turns.carried)
    for value, axis in zip(op.inputs[turns.carried :], axes):
        type_ = None if value is None else value.type
        if isinstance(type_, TensorType) and type_.shape is not None and -len(type_.shape) <= axis < len(type_.shape):
            length = type_.shape[axis]
            if isinstance(length, int):
                return length
    return None


def _integer(value: Value | None) -> int | None:
    tensor = None if value is None else value.const
    return int(tensor.item()) if tensor is not None and tensor.size == 1 and tensor.dtype.is_integer else None
