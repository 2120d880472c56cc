"""Facts about a graph: the types of its values. Writes `value.type` and nothing else."""

from __future__ import annotations

from .inference import forget, infer, infer_op

__all__ = ["forget", "infer", "infer_op"]
