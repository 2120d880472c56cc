"""Element types that the rules of this family ask for."""

from __future__ import annotations

from ...ir import DType

FLOATS = (DType.FLOAT, DType.FLOAT16, DType.DOUBLE)
