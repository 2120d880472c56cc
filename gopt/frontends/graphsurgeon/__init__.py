"""The bridge to onnx-graphsurgeon: models as `gs.Graph` and back, so that scripts written for it run as passes.

A `gs.Graph` has no place for much of what a model holds (overloads, metadata, doc strings of nodes, attributes of some
kinds, defaults of inputs, training info ...). On the way back this is taken from the model that the graph was made of,
for all that still bears its name.
"""

from __future__ import annotations

from .export import to_gs
from .restore import from_gs

__all__ = ["from_gs", "to_gs"]
