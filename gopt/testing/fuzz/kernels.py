"""Which operators ONNX Runtime has a kernel for, at which version and for which element types."""

from __future__ import annotations

from functools import cache

from ... import ops
from ...ir import DType, Op, TensorType

OPSETS = tuple(range(11, 27))
"""Standard opsets that models are made at."""


@cache
def _table() -> dict[str, list[tuple[int, int, dict[str, frozenset[DType]]]]]:
    """Versions (first and last), and element types by type variable, of each kernel, by operator type."""
    from onnxruntime.capi import _pybind_state as state

    types = {_name(dtype): dtype for dtype in DType}
    found: dict[str, list[tuple[int, int, dict[str, frozenset[DType]]]]] = {}
    for kernel in state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider" and not kernel.domain:
            first, last = kernel.version_range
            takes = {
                variable: frozenset(types[name] for name in names if name in types)
                for variable, names in kernel.type_constraints.items()
            }
            found.setdefault(kernel.op_name, []).append((first, last, takes))
    return found


def _name(dtype: DType) -> str:
    return f"tensor({dtype.name.lower()})"


def runs(op: Op) -> bool:
    """True if there is a kernel for an op of the standard domain, or if the operator is a function of others."""
    kernels, known = _table().get(op.op_type), ops.schema(op.op_type)
    if known is None:
        return False
    types = [v.type.dtype if v is not None and isinstance(v.type, TensorType) else None for v in op.inputs]
    if not all(dtype is None or known.takes(slot, dtype, op.opset) for slot, dtype in enumerate(types)):
        return False
    if kernels is None:
        return True
    since = max((v for v in known.since if v <= op.opset), default=0)
    bound: dict[str, DType] = {}
    for slot, dtype in enumerate(types):
        if dtype is not None and known.variables:
            bound[known.variables[min(slot, len(known.variables) - 1)]] = dtype
    return any(
        first <= since <= last and all(bound[name] in takes for name, takes in constraints.items() if name in bound)
        for first, last, constraints in kernels
    )
