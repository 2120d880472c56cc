"""Steps that put in what rules match: their examples, and models made from their patterns, on values that fit."""

from __future__ import annotations

from functools import cache, lru_cache

from .... import ops
from ....errors import GoptError
from ....frontends.text import parse
from ....ir import DType, Model, Symbol, TensorType, Value
from ....ir.clone import clone_op
from ....passes import REGISTRY
from ....rewrite import Rule
from ...generate import generate
from .. import kernels
from ..sketch import Feed, Misfit, Sketch, dtype, shape, size
from .core import step
from .movement import ints


@cache
def rules() -> list[Rule]:
    """All built-in rules."""
    REGISTRY.load_built_in()
    return [m for family in REGISTRY.families for m in REGISTRY.find(family) if isinstance(m, Rule)]


@cache
def _examples() -> list[Rule]:
    return [rule for rule in rules() if rule.example]


@lru_cache(maxsize=512)
def _parsed(text: str) -> Model:
    return parse(text)


@step(60)
def example(s: Sketch) -> None:
    """The example of a rule."""
    rule = s.pick(_examples())
    put_in(s, _parsed(rule.example))


@step(25)
def pattern(s: Sketch) -> None:
    """A model made from a rule's pattern."""
    if s.depth:
        raise Misfit
    try:
        made = generate(s.pick(rules()), s.rng, s.graph.opsets[""])
    except ValueError:  # axes that are none of the shape which was drawn
        made = None
    if made is None:
        raise Misfit
    put_in(s, made)


def put_in(s: Sketch, source: Model) -> None:
    """Copy the ops of a model, on values of the pool where those fit, else on new inputs.

    Raises:
        Misfit: it cannot stand here: other opset, functions.
    """
    if not may_stand(source, s) or source.functions:
        raise Misfit
    sizes: dict[Symbol, int] = {}
    mapping: dict[Value, Value | None] = {}
    for value in source.graph.inputs:
        type_ = value.declared.type if value.declared is not None else value.type
        if not isinstance(type_, TensorType) or type_.shape is None or type_.dtype is DType.STRING:
            raise Misfit
        mapping[value] = _operand(s, type_, sizes)
    copy_in(s, source, mapping)


def copy_in(s: Sketch, source: Model, mapping: dict[Value, Value | None]) -> None:
    """Copy the ops of a model whose inputs are mapped.

    Raises:
        Misfit: they have bodies, and this is one; what they take is not there; or nothing runs them.
    """
    if s.depth and source.graph.owners:
        raise Misfit
    for op in source.graph.ops:
        try:
            made = clone_op(op, s.graph, mapping)
        except (KeyError, GoptError):
            raise Misfit from None
        if made is not None:
            if not kernels.runs(made):
                raise Misfit
            s.add(made)


def may_stand(source: Model, s: Sketch) -> bool:
    """True at the same opset, at a newer one since most operators are written as they are today, or if all are."""
    version, here = source.opsets.get("", 0), s.graph.opsets[""]
    if version == here or 18 <= version < here:
        return True
    types = {op.op_type for graph in source.graphs() for op in graph.ops if not op.domain}
    return all(_since(op_type, version) == _since(op_type, here) for op_type in types)


def _since(op_type: str, opset: int) -> int:
    """The version of an operator that an opset holds; 0 if none."""
    known = ops.schema(op_type)
    return 0 if known is None else max((v for v in known.since if v <= opset), default=0)


def _operand(s: Sketch, type_: TensorType, sizes: dict[Symbol, int]) -> Value:
    """A value of the pool that fits, or one that fits after a Reshape, or a new one."""
    assert type_.shape is not None
    fitting = [v for v in s.values if dtype(v) is type_.dtype and _unify(type_, shape(v), dict(sizes))]
    if fitting and s.chance(0.85):
        found: Value = fitting[-1 - min(int(s.rng.exponential(2)), len(fitting) - 1)]
        _unify(type_, shape(found), sizes)
        return found
    dims = []
    for dim in type_.shape:
        if isinstance(dim, Symbol):
            dims.append(sizes.setdefault(dim, s.number(1, 4)))
        else:
            dims.append(dim)
    count = 1
    for d in dims:
        count *= d
    same = [v for v in s.values if dtype(v) is type_.dtype and size(v) == count]
    if same and s.chance(0.7):
        return s.op("Reshape", s.pick(same), s.constant(ints(*dims)))
    if s.depth:
        return s.leaf(type_.dtype, tuple(dims))
    return s.input(Feed(type_.dtype, tuple(dims)))


def _unify(type_: TensorType, dims: tuple[int, ...], sizes: dict[Symbol, int]) -> bool:
    """True if a shape is one of this type, given what symbols stand for already; notes what others stand for."""
    assert type_.shape is not None
    if len(type_.shape) != len(dims):
        return False
    for dim, number in zip(type_.shape, dims):
        if (sizes.setdefault(dim, number) if isinstance(dim, Symbol) else dim) != number:
            return False
    return True
