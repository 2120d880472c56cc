"""gopt: an optimizing compiler for ONNX graphs.

    import gopt

    result = gopt.run("model.onnx", "fold,fuse", output="smaller.onnx")
    print(result.verification.summary())

The names below are imported when first used, so that `import gopt` alone stays light.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Result as Result
    from .api import load as load
    from .api import run as run
    from .api import save as save
    from .api.cutting import split as split
    from .api.dumping import dump as dump
    from .errors import GoptError as GoptError
    from .ir import Model as Model
    from .ir import TensorType as TensorType
    from .ops import shape_rule as shape_rule
    from .passes.base import OpPass as OpPass
    from .passes.base import Pass as Pass
    from .passes.base import option as option
    from .passes.base import register as register
    from .rewrite import Context as Context
    from .rewrite import Numerics as Numerics
    from .rewrite import P as P
    from .rewrite import Rewriter as Rewriter
    from .rewrite.rule import rule as rule
    from .verify.verifier import verify as verify

__version__ = "0.1.0"

# Which module each public name comes from.
_HOMES = {
    "Context": "rewrite",
    "GoptError": "errors",
    "Model": "ir",
    "Numerics": "rewrite",
    "OpPass": "passes.base",
    "P": "rewrite",
    "Pass": "passes.base",
    "Result": "api",
    "Rewriter": "rewrite",
    "TensorType": "ir",
    "dump": "api.dumping",
    "load": "api",
    "option": "passes.base",
    "register": "passes.base",
    "rule": "rewrite",
    "run": "api",
    "save": "api",
    "shape_rule": "ops",
    "split": "api.cutting",
}

__all__ = [*_HOMES, "__version__", "verify"]


def __getattr__(name: str) -> Any:
    if name == "verify":
        return import_module(".verify", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'gopt' has no attribute {name!r}")
    found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Verify(ModuleType):
    """The package `gopt.verify`, which is at the same time the function of that name."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.verify(*args, **keywords)


class _Face(ModuleType):
    """This package. The import system sets each imported subpackage as an attribute of it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "verify" and type(value) is ModuleType:
            value.__class__ = _Verify
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
