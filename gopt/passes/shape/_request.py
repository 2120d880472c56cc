"""What somebody asks of a model's inputs, put together: sizes of dims, and values in place of inputs.

Nothing is changed here. Every contradiction is found and told, a line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from ...errors import UsageError
from ...ir import Array, Dim, Model, Symbol, TensorType, Value
from ...ir.expressions import evaluate, names_in
from ._values import fill, fitted, given

_NAMELESS = frozenset(("", "?", "-1", "None"))
_KEEP = frozenset("?_")
_SEARCHED = 1 << 16  # sizes that are tried for the one unknown in "past + 1"


@dataclass(slots=True)
class Settled:
    """What a request comes to for one model.

    Attributes:
        sizes: named dims and their sizes.
        shapes: the new shape of each input that gets another one.
        values: what stands in place of an input.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)


def settle(model: Model, shapes: Mapping[str, str], dims: Iterable[str], freeze: Iterable[str]) -> Settled:
    """Read a request against the declared inputs of a model.

    Args:
        model: its inputs count, nothing else.
        shapes: input -> sizes as `1x3x224x224`; `?` leaves a dim as it is.
        dims: `name=4`, a named dim, or `input.axis=4`, one dim of one input.
        freeze: `input=value`, see `_values.given`.

    Raises:
        UsageError: something does not exist or contradicts something; a line for each.
    """
    work = _Work(model)
    for text in dims:
        work.dim(text)
    for name, text in shapes.items():
        work.shape(name, text)
    for text in freeze:
        work.value(text)
    work.arithmetic()
    result = work.result()
    if work.problems:
        raise UsageError("\n".join(dict.fromkeys(work.problems)))
    return result


class _Work:
    """A request on its way."""

    def __init__(self, model: Model) -> None:
        self.inputs = {value.name: value for value in model.graph.inputs}
        self.types = {name: declared_tensor(value) for name, value in self.inputs.items()}
        self.named: dict[str, None] = {}
        for type_ in self.types.values():
            for dim in () if type_ is None or type_.shape is None else type_.shape:
                if isinstance(dim, Symbol) and dim.name not in _NAMELESS:
                    self.named.update(dict.fromkeys(names_in(dim.name)))
        self.problems: list[str] = []
        self.sizes: dict[str, tuple[int, str]] = {}
        self.places: dict[tuple[str, int], tuple[int, str]] = {}
        self.ranks: dict[str, int] = {}
        self.values: dict[str, Array] = {}

    # -- what is asked -------------------------------------------------------------------------------------------------

    def dim(self, text: str) -> None:
        """`name=size` or `input.axis=size`."""
        name, _, size = text.rpartition("=")
        name = name.strip()
        number = self._size(size, f"dim {name!r}")
        if not name:
            self.problems.append(f"{text!r} is not NAME=SIZE")
        elif number is None:
            return
        elif name in self.named:
            self._settle(name, number, f"dim {name}")
        elif (place := self._place_of(name)) is not None:
            self._place(*place, number, f"dim {name}")
        else:
            self.problems.append(f"no input has a dim {name!r}{_hint(name, [*self.named, *self.inputs])}")

    def shape(self, name: str, text: str) -> None:
        """The sizes of an input."""
        if not self._exists(name):
            return
        parts = re.split(r"\s*[x,]\s*", text.strip().strip("[]()"))
        if not self._rank(name, len(parts), "the requested shape"):
            return
        for axis, part in enumerate(parts):
            if part in _KEEP:
                continue
            size = self._size(part, f"axis {axis} of input {name!r}")
            if size is not None:
                self._place(name, axis, size, f"shape of {name}")

    def value(self, text: str) -> None:
        """`input=value`."""
        name, sign, written = text.partition("=")
        while sign and name not in self.inputs and "=" in written:  # names may hold "="
            more, _, written = written.partition("=")
            name = f"{name}={more}"
        if not sign or not written:
            self.problems.append(f"{text!r} is not INPUT=VALUE")
            return
        if not self._exists(name):
            return
        type_ = self.types[name]
        if type_ is None:
            self.problems.append(f"input {name!r} is no tensor: it cannot be frozen")
            return
        try:
            array = fitted(name, given(name, written), type_.dtype)
        except UsageError as error:
            self.problems.append(str(error))
            return
        self.values[name] = array
        # One number stands for all elements, if it turns out how many these are.
        if (array.ndim or type_.shape == ()) and self._rank(name, array.ndim, "the value"):
            for axis, size in enumerate(array.shape):
                self._place(name, axis, size, f"value of {name}")

    def arithmetic(self) -> None:
        """Dims such as "past + 1": find what is not known from what is, in both directions."""
        news = True
        while news:
            news = False
            for name, type_ in self.types.items():
                for axis, dim in enumerate(type_.shape or () if type_ is not None else ()):
                    if not isinstance(dim, Symbol) or not self._is_arithmetic(dim.name):
                        continue
                    place = self.places.get((name, axis))
                    open_ = [n for n in dict.fromkeys(names_in(dim.name)) if n not in self.sizes]
                    if not open_ and place is not None:
                        size = self._value(dim.name)
                        if size != place[0]:
                            self.problems.append(f"{place[1]}: dim {dim.name!r} comes to {size}, not {place[0]}")
                            return
                    elif place is not None and len(open_) == 1:
                        news = self._solve(dim.name, open_[0], place) or news

    # -- what it comes to ----------------------------------------------------------------------------------------------

    def result(self) -> Settled:
        """The new shapes of all inputs."""
        found = Settled({name: size for name, (size, _) in self.sizes.items()})
        for name, value in self.inputs.items():
            type_ = self.types[name]
            if type_ is None:
                continue
            shape = self._shape(name, type_)
            if shape is not None and shape != type_.shape:
                found.shapes[name] = shape
            self._check_default(value, shape)
            if (array := self.values.get(name)) is not None:
                try:
                    found.values[name] = fill(name, array, shape)
                except UsageError as error:
                    self.problems.append(str(error))
        return found

    def _shape(self, name: str, type_: TensorType) -> tuple[Dim, ...] | None:
        if type_.shape is None:
            if name not in self.ranks:
                return None
            sizes = [self.places.get((name, axis)) for axis in range(self.ranks[name])]
            return tuple(Symbol() if size is None else size[0] for size in sizes)
        return tuple(self._dim(name, axis, dim) for axis, dim in enumerate(type_.shape))

    def _dim(self, name: str, axis: int, dim: Dim) -> Dim:
        if isinstance(dim, int):
            return dim
        if dim.name in self.sizes:
            return self.sizes[dim.name][0]
        if (place := self.places.get((name, axis))) is not None:
            return place[0]
        if self._is_arithmetic(dim.name) and all(n in self.sizes for n in names_in(dim.name)):
            return max(1, self._value(dim.name))
        return dim

    def _check_default(self, value: Value, shape: tuple[Dim, ...] | None) -> None:
        if value.tensor is None or shape is None or value.name in self.values:
            return
        for axis, (dim, size) in enumerate(zip(shape, value.tensor.shape)):
            if isinstance(dim, int) and dim != size:
                self.problems.append(
                    f"input {value.name!r} has a default of shape {list(value.tensor.shape)}: axis {axis} is not {dim}"
                )

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _exists(self, name: str) -> bool:
        if name in self.inputs:
            return True
        self.problems.append(f"the model has no input {name!r}{_hint(name, self.inputs)}")
        return False

    def _rank(self, name: str, rank: int, what: str) -> bool:
        type_ = self.types[name]
        if type_ is None:
            self.problems.append(f"input {name!r} is no tensor: it has no shape")
            return False
        known = len(type_.shape) if type_.shape is not None else self.ranks.setdefault(name, rank)
        if known != rank:
            shape = "" if type_.shape is None else f" ({type_})"
            self.problems.append(f"input {name!r} has {known} dims{shape}, {what} has {rank}")
        return known == rank

    def _size(self, text: str, what: str) -> int | None:
        number = int(text) if re.fullmatch(r"\s*[-+]?\d+\s*", text) else None
        if number is None:
            self.problems.append(f"{what}: {text.strip()!r} is no size")
        elif number < 1:
            self.problems.append(f"{what}: a size is at least 1, not {number}")
        return number if number is not None and number > 0 else None

    def _place_of(self, text: str) -> tuple[str, int] | None:
        name, dot, axis = text.rpartition(".")
        type_ = self.types.get(name)
        if not dot or not axis.isdecimal() or type_ is None or type_.shape is None or int(axis) >= len(type_.shape):
            return None
        return name, int(axis)

    def _place(self, name: str, axis: int, size: int, source: str) -> None:
        type_ = self.types[name]
        dim = None if type_ is None or type_.shape is None else type_.shape[axis]
        if isinstance(dim, int):
            if dim != size:
                self.problems.append(
                    f"input {name!r}: axis {axis} is fixed to {dim} in the model, not {size}; "
                    "a batch size that is baked in can be changed by set-batch"
                )
            return
        if dim is not None and dim.name not in _NAMELESS and not self._is_arithmetic(dim.name):
            self._settle(dim.name, size, source)
            return
        known = self.places.setdefault((name, axis), (size, source))
        if known[0] != size:
            self.problems.append(f"axis {axis} of input {name!r}: {known[0]} ({known[1]}) and {size} ({source})")

    def _settle(self, name: str, size: int, source: str) -> bool:
        known = self.sizes.setdefault(name, (size, source))
        if known[0] != size:
            self.problems.append(f"dim {name!r}: {known[0]} ({known[1]}) and {size} ({source})")
        return known[0] == size

    def _solve(self, text: str, unknown: str, place: tuple[int, str]) -> bool:
        sizes = {name: size for name, (size, _) in self.sizes.items()}
        found = [n for n in range(1, _SEARCHED) if evaluate(text, {**sizes, unknown: n}) == place[0]][:2]
        if not found:
            self.problems.append(f"{place[1]}: dim {text!r} is {place[0]} for no size of {unknown!r}")
            return False
        return len(found) == 1 and self._settle(unknown, found[0], place[1])

    def _value(self, text: str) -> int:
        return evaluate(text, {name: size for name, (size, _) in self.sizes.items()})

    @staticmethod
    def _is_arithmetic(name: str) -> bool:
        return bool(name) and names_in(name) != [name]


def declared_tensor(value: Value) -> TensorType | None:
    """The type that an input is declared with, if it is that of a tensor."""
    type_ = None if value.declared is None else value.declared.type
    if isinstance(type_, TensorType):
        return type_
    return value.type if type_ is None and isinstance(value.type, TensorType) else None


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(map(repr, names[:8]))}" if names else "; there are none"
