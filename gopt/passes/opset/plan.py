"""What a change of opset takes: which ops change, and which stand in its way. Nothing is changed by planning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ... import analysis
from ...errors import ModelError, TargetError
from ...frontends.onnx.standard import has_training, newest_opset, released_ir_version
from ...ir import DType, Graph, Model, Op, Role
from ...ops import NotAvailable, complaint
from ...rewrite import Numerics
from ._convert import converted
from ._stage import Made, Target


@dataclass(frozen=True)
class Step:
    """One op that changes."""

    op: Op
    made: Made


@dataclass(frozen=True)
class Blocker:
    """An op for which nothing stands at the version wanted.

    Attributes:
        op: the op.
        where: the local function that it lies in; "" for the main graph and its bodies.
        reason: why.
    """

    op: Op
    where: str
    reason: str

    def __str__(self) -> str:
        place = f" in function {self.where}" if self.where else ""
        return f"{self.op.label}{place}: {self.reason}"


@dataclass
class Plan:
    """A change of opset.

    Attributes:
        to: the version of the standard domain that is wanted.
        before: the version that the main graph imports; 0 if it imports none.
        ir_version: version of the ONNX IR that the result declares.
        scopes: the graphs (main, functions) whose imports change.
        steps: ops that change, operands' producers before users.
        blockers: ops for which there is nothing.
    """

    to: int
    before: int
    ir_version: int
    scopes: list[Graph] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    blockers: list[Blocker] = field(default_factory=list)

    @property
    def numerics(self) -> Numerics:
        """The weakest promise among the steps."""
        return max((s.made.numerics for s in self.steps), default=Numerics.EXACT)


def plan(model: Model, to: int) -> Plan:
    """What it takes to bring a model to another version of the standard domain; types must be up to date.

    Raises:
        NotAvailable: there is no such version.
        TargetError: the model holds nodes that gopt does not read.
    """
    if not 1 <= to <= newest_opset():
        raise NotAvailable(f"there is no opset {to}; the installed onnx knows 1 to {newest_opset()}")
    if has_training(model) and model.opsets.get("", to) != to:
        raise TargetError("the model holds graphs for training (training_info), which gopt does not convert")
    found = Plan(to, model.opsets.get("", 0), _ir_version(model, to))
    for where, graph in _scopes(model):
        if graph.opsets.get("", to) == to:
            continue
        found.scopes.append(graph)
        target = Target(to, {**graph.opsets, "": to})
        for inner in graph.walk():
            for op in inner.ops:
                _consider(found, op, where, target, model)
    return found


def survey(model: Model, to: int) -> Plan:
    """`plan` for a model as it was loaded.

    Raises:
        ModelError: an op is not what its operator's schema says.
        NotAvailable: there is no such version.
    """
    for graph in model.graphs():
        for op in graph.ops:
            if problem := complaint(op):
                raise ModelError(f"{op.label}: {problem}")
    analysis.infer(model)
    return plan(model, to)


def _consider(found: Plan, op: Op, where: str, target: Target, model: Model) -> None:
    if op.domain or (op.domain, op.op_type, op.overload) in model.functions:
        return
    try:
        made = converted(op, target)
    except NotAvailable as error:
        found.blockers.append(Blocker(op, where, str(error)))
        return
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        found.blockers.append(Blocker(op, where, "it is malformed"))
        return
    if made is not None:
        found.steps.append(Step(op, made))


def _scopes(model: Model) -> Iterator[tuple[str, Graph]]:
    yield "", model.graph
    for function in model.functions.values():
        yield f"{function.domain}::{function.name}", function.graph


def _ir_version(model: Model, to: int) -> int:
    """Downwards what was released with the opset, for a reader that ends there would refuse a later one; else as it is.

    Not below 4, from which on initializers need not be inputs, and not below what the model uses.
    """
    if to >= model.opsets.get("", to):
        return model.ir_version
    least = max(released_ir_version(to), 4, 8 if model.functions else 0)
    if any(overload for _, _, overload in model.functions):
        least = max(least, 10)
    for graph in model.graphs():
        for value in graph.values:
            if value.role is not Role.CAPTURE and value.tensor is not None:
                least = max(least, _SINCE.get(value.tensor.dtype, 0))
    return min(model.ir_version, least)


# Versions of the ONNX IR that brought element types (onnx.proto, "Version").
_SINCE = {
    **dict.fromkeys((DType.FLOAT8E4M3FN, DType.FLOAT8E4M3FNUZ, DType.FLOAT8E5M2, DType.FLOAT8E5M2FNUZ), 9),
    **dict.fromkeys((DType.UINT4, DType.INT4), 10),
    DType.FLOAT4E2M1: 11,
    DType.FLOAT8E8M0: 12,
    **dict.fromkeys((DType.UINT2, DType.INT2), 13),
}
