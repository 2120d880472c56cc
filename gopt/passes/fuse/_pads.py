"""What a Pad does, as `pads` of a convolution or pool that takes its result."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import Op
from ...rewrite import RejectError


def spatial_pads(pad: Op, rank: int) -> tuple[int, ...]:
    """Pads of the spatial axes, all begins and then all ends, as convolutions and pools have them.

    Raises:
        RejectError: it pads other axes, crops, or its pads are not constant.
    """
    pads = ops.ints(pad, "pads")
    axes: tuple[int, ...] | None = tuple(range(rank))
    if ops.has_operand(pad, "axes"):
        axes = ops.ints(pad, "axes")
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        raise RejectError(f"the pads of {pad.label} are not known")
    begins, ends = [0] * rank, [0] * rank
    for k, axis in enumerate(axes):
        begins[axis % rank], ends[axis % rank] = pads[k], pads[k + len(axes)]
    if min(pads, default=0) < 0:
        raise RejectError(f"{pad.label} crops")
    if any(begins[:2]) or any(ends[:2]):
        raise RejectError(f"{pad.label} pads other axes than the spatial ones")
    return (*begins[2:], *ends[2:])


def own_pads(op: Op, spatial: int) -> tuple[int, ...]:
    """The pads of a convolution or pool itself.

    Raises:
        RejectError: they depend on the size of its operand.
    """
    mode = ops.attribute(op, "auto_pad") or "NOTSET"
    pads = ops.attribute(op, "pads")
    if mode == "VALID" or (mode == "NOTSET" and pads is None):
        return (0,) * (2 * spatial)
    if mode != "NOTSET" or len(pads) != 2 * spatial:
        raise RejectError(f"the pads of {op.label} depend on sizes")
    return tuple(pads)


def with_pads(op: Op, spatial: int, more: tuple[int, ...]) -> dict[str, Any]:
    """The attributes of a convolution or pool with its pads enlarged.

    Raises:
        RejectError: its own pads depend on the size of its operand.
    """
    pads = tuple(a + b for a, b in zip(own_pads(op, spatial), more))
    return {n: a for n, a in op.attrs.items() if n != "auto_pad"} | {"pads": pads}
