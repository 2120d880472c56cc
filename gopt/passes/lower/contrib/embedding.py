"""The beginning of transformers, as ONNX Runtime fuses it."""

from __future__ import annotations

import numpy as np

from ....ir import Op, Value
from ....rewrite import Numerics, P, Rewriter, rule
from ._common import MS, needed
from .norm import normalized


@rule(
    P.op("EmbedLayerNormalization", domain=MS)(
        "ids", P.opt("segments"), "words", "places", P.opt("kinds"), "scale", "shift", P.opt("mask"), P.opt("at")
    ).as_("op"),
    numerics=Numerics.ROUNDING,
    example="""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
example (float[2] g) => (float[2,3,2] y) <int32[2,3] i = {0, 1, 2, 3, 1, 0}, int32[2,3] s = {0, 1, 1, 0, 0, 1},
  float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 9}, float[3,2] p = {1, 2, 3, 4, 5, 6}, float[2,2] k = {1, 2, 3, 4},
  float[2] b = {3, 4}>
{ y, m = com.microsoft.EmbedLayerNormalization(i, s, w, p, k, g, b) }""",
)
def embed(
    rw: Rewriter,
    ids: Value,
    segments: Value | None,
    words: Value,
    places: Value,
    kinds: Value | None,
    scale: Value,
    shift: Value,
    mask: Value | None,
    at: Value | None,
    op: Op,
) -> tuple[Value | None, ...]:
    """EmbedLayerNormalization(i, s, W, P, K, g, b) -> LayerNormalization(W[i] + P + K[s], g, b), and the sum

    P being the first rows, or those at given positions; where what it makes of the mask is not used. Rounds in other
    places.
    """
    if len(op.outputs) > 1 and op.outputs[1] is not None and op.outputs[1].is_needed:
        needed(rw, 1)
    if at is None:
        length = rw.Slice(rw.Shape(ids), *(np.asarray([n], np.int64) for n in (1, 2, 0)))
        position = rw.Slice(places, np.asarray([0], np.int64), length, np.asarray([0], np.int64))
    else:
        position = rw.Gather(places, at, axis=0)
    summed = rw.Gather(words, ids, axis=0)
    if segments is not None and kinds is not None:
        summed = rw.Add(rw.Add(summed, position), rw.Gather(kinds, segments, axis=0))
    else:
        summed = rw.Add(summed, position)
    return normalized(rw, summed, scale, shift, -1, op.attr("epsilon", 1e-12)), None, summed
