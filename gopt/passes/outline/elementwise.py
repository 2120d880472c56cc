"""Regions of elementwise ops become local functions (ONNX IR specification, "Functions")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ... import ops
from ...errors import UsageError
from ...ir import DType, Function, Graph, Model, Op, Role, TensorType, Value
from ...ir.clone import Mapping, clone_op, clone_value
from ...ir.printer import to_text
from ...rewrite import Context
from ..base import Pass, option, register
from ._regions import regions

_FUNCTIONS = 8  # the IR version that has local functions


@register
@dataclass(frozen=True)
class Elementwise(Pass):
    """a region of elementwise ops -> f(x, ...), f being a local function that computes the region

    A region is connected, no path leaves it and comes back, it lies in one graph, and all that it computes is of one
    element type. Constants of one element go into the function, others and everything else are its operands. Regions
    that compute the same share a function. `inline` undoes it.
    """

    fewest: int = option(2, help="leave regions of fewer ops")
    domain: str = option("gopt.outlined", help="domain of the functions")

    def run(self, model: Model, ctx: Context) -> None:
        """Outline the regions of the main graph and of bodies, not those of functions.

        Raises:
            UsageError: the domain is that of the standard operators.
        """
        if self.domain in ("", "ai.onnx"):
            raise UsageError("functions can't be in the domain of the standard operators")
        if model.opsets.get(self.domain, 1) != 1:
            return
        made: dict[str, Function] = {f"{f.name}": f for f in model.functions.values() if f.domain == self.domain}
        texts: dict[str, Function] = {}
        for graph in list(model.graph.walk()):
            for region in regions(graph, _kind):
                if len(region) >= self.fewest and all(op.graph is graph for op in region):
                    self._outline(model, ctx, graph, region, made, texts)

    def _outline(
        self,
        model: Model,
        ctx: Context,
        graph: Graph,
        region: Sequence[Op],
        made: dict[str, Function],
        texts: dict[str, Function],
    ) -> None:
        results = _results(region)
        if not results:
            return
        operands, body = _body(model, region, results)
        text = to_text(body)
        function = texts.get(text)
        is_new = function is None
        if function is None:
            name = _name(region, made)
            body.name = name
            function = Function(self.domain, name, body)
        model.functions[function.key] = function
        had_domain, ir_version = self.domain in model.opsets, model.ir_version
        model.opsets[self.domain] = 1
        model.ir_version = max(ir_version, _FUNCTIONS)
        call = Op(function.name, operands, [Value(type_=v.type) for v in results], domain=self.domain)
        call.imports = graph.opsets
        staged = {old: new for old, new in zip(results, call.outputs) if new is not None}
        if ctx.replace(self.name, staged, [call]):
            made[function.name] = texts[text] = function
            return
        if is_new:
            del model.functions[function.key]
        model.ir_version = ir_version
        if not had_domain:
            del model.opsets[self.domain]


def _kind(op: Op) -> DType | None:
    """The one element type of an elementwise op's operands and results; None if the op may lie in no region."""
    found = ops.opdef(op)
    if found is None or op.domain or not found.elementwise or op.bodies or any(a.ref for a in op.attrs.values()):
        return None
    dtypes = {
        v.type.dtype if isinstance(v.type, TensorType) else None for v in (*op.inputs, *op.outputs) if v is not None
    }
    return dtypes.pop() if len(dtypes) == 1 else None


def _results(region: Sequence[Op]) -> list[Value]:
    """The values of a region that something outside needs."""
    members = dict.fromkeys(region)

    def is_seen(value: Value) -> bool:
        return value.is_output or any(use.op not in members for use in value.uses)

    return [v for op in region for v in op.outputs if v is not None and is_seen(v)]


def _body(model: Model, region: Sequence[Op], results: Sequence[Value]) -> tuple[list[Value], Graph]:
    """The operands of a region, and a function's graph that computes it."""
    body = Graph("", {"": model.opsets[""]})
    mapping: Mapping = {}
    operands: list[Value] = []
    inside = {v for op in region for v in op.outputs}
    for op in region:
        for value in op.inputs:
            if value is None or value in mapping or value in inside:
                continue
            tensor = value.const
            if tensor is not None and tensor.size == 1:
                mapping[value] = body.attach(Value(body.names.fresh("c"), Role.CONST, tensor, value.type))
            else:
                operands.append(value)
                mapping[value] = body.add_input(Value(body.names.fresh("x"), Role.INPUT))
    for op in region:
        copy = clone_op(op, body, mapping)
        assert copy is not None
        copy.name = ""
        for result in copy.outputs:
            if result is not None:
                result.name, result.type = body.names.fresh("v"), None
        body.add(copy)
    for value in results:
        inner = clone_value(value, body, mapping)
        assert inner is not None
        body.set_output(len(body.outputs), inner)
    return operands, body


def _name(region: Sequence[Op], made: dict[str, Function]) -> str:
    """What the region computes, in a few words, and a number where that is taken."""
    stem = "_".join(op.op_type for op in region[:4]) + ("_etc" if len(region) > 4 else "")
    name, n = stem, 1
    while name in made:
        n += 1
        name = f"{stem}_{n}"
    return name
