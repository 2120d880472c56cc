"""Ops whose result is one of their operands. Users take the operand instead.

No rule here may change what a value is: the operand that stands in must provably have the element type and the shape
of the result. A constant of the same or a lower rank whose dims are 1, or those of the operand, cannot enlarge a
broadcast result; all this is read from the inferred types, so that an unknown dim that might be 1 forbids.
"""

from __future__ import annotations

MODULES = ("copies", "cast", "arithmetic", "logic", "reshape", "movement", "reduction", "resize")
