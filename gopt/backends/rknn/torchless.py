"""Stands in for PyTorch in the toolkit's environment, where `gopt rknn setup` installed none (`worker.py`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def pretend_torch() -> Callable[[], None]:
    """Stand in for PyTorch, which the toolkit imports at once and uses for the quantization `gdq`, and to count.

    Returns:
        To be called once the toolkit is imported: from then on, what is asked of it beyond counting is an error.
    """
    import types

    state = {"importing": True}

    class Absent:
        """Whatever is asked of it, until it is called."""

        def __init__(self, name: str = "torch") -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {}) if name[:1].isupper() else Absent(f"{self._name}.{name}")

        def __call__(self, *args: Any, **options: Any) -> Any:
            if not state["importing"]:
                raise NotImplementedError(f"{self._name} needs PyTorch: gopt rknn setup --torch cpu")
            # Decorators at import time: torch.no_grad(), torch.jit.script ...
            return args[0] if len(args) == 1 and callable(args[0]) else self

    for name in (
        "torch",
        "torch.nn",
        "torch.nn.functional",
        "torch.optim",
        "torch.utils",
        "torch.utils.data",
        "torch.jit",
    ):
        module = types.ModuleType(name)
        module.__dict__["__getattr__"] = Absent(name).__getattr__
        module.__path__ = []
        sys.modules[name] = module
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
    sys.modules["torch"].__dict__.update(counting())
    return lambda: state.update(importing=False)


def counting() -> dict[str, Any]:
    """The functions of PyTorch by which the toolkit's rewrites number elements, on arrays of numpy."""
    import numpy

    class Numbers(numpy.ndarray):
        """An array with the methods of tensors that the toolkit calls on the results."""

        def numpy(self) -> Any:
            return numpy.asarray(self)

        def detach(self) -> Any:
            return self

        cpu = contiguous = detach

    def arange(*bounds: int) -> Any:
        return numpy.arange(*bounds).view(Numbers)

    def split(numbers: Any, sizes: Any, dim: int = 0) -> Any:
        length = numbers.shape[dim]
        wanted = [sizes] * (-(-length // sizes)) if isinstance(sizes, int) else list(sizes)
        ends = numpy.cumsum(wanted)[:-1]
        return tuple(part.view(Numbers) for part in numpy.split(numbers, ends, axis=dim))

    def cat(parts: Any, dim: int = 0) -> Any:
        return numpy.concatenate(list(parts), axis=dim).view(Numbers)

    return {"arange": arange, "split": split, "cat": cat}
