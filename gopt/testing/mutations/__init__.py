"""Mutations: one thing of a model changed at random.

A mutation need not keep the meaning, nor make a valid model: the runtime throws out what is none, and what is left must
compute the same before and after a rewrite.
"""

from __future__ import annotations

from . import attributes, numbers, structure  # noqa: F401  (they fill the table)
from .draft import LARGE, LAST, MUTATIONS, Draft, Mutation

__all__ = ["LARGE", "LAST", "MUTATIONS", "Draft", "Mutation"]
