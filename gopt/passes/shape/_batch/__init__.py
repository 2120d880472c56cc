"""Another batch size: where the samples of a batch lie in each value, and what must change for more of them.

`walk` goes through a copy of the graph and knows for each value the axis along which the samples lie; `rules` say how
an operator carries that on, or refuse; `edits` is what has to be changed; `search` tries what is ambiguous; `align`
learns the changes from a second export instead.
"""

from __future__ import annotations

from .edits import Maker
from .layout import Along, Refusal
from .search import Plan, plan

__all__ = ["Along", "Maker", "Plan", "Refusal", "plan"]
