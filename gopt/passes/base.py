"""The base of function passes: rewrites that are no local rule.

A pass is a frozen dataclass. Its fields are its options, its docstring is its help, its name is where it stands:
`gopt/passes/shape/fix.py` with a class `Fix` is `shape.fix`, with a class `Batch` it is `shape.fix.batch`.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from ..errors import UsageError
from ..ir import Array, Model, Op, Value
from ..ops import NotAvailable
from ..rewrite import Numerics, Reject, RejectError, Rewriter
from .options import check_fields, format_options

if TYPE_CHECKING:
    from ..rewrite import Context

BUILT_IN = "gopt.passes."
PLUGINS = "gopt_plugins."
"""Plugins live under this prefix, so that a plugin called json.py hides no other module."""


@dataclass(frozen=True)
class Pins:
    """Where the model that a pass leaves can be compared with the one that it got.

    Attributes:
        dims: sizes of dims, by name or `input.axis`.
        values: inputs that are constants afterwards.
    """

    dims: dict[str, int] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)


class Pass(ABC):
    """Base of all passes that are not made of rules.

    Attributes:
        name: dotted name, set by `register`.
        aliases: other names under which it can be selected.
        numerics: the weakest promise about the numbers among its rewrites.
        in_family: False keeps it out of a selection by family or file; it then runs only when named in full.
        new_interface: it gives the model other inputs or outputs on purpose, values that the original has inside.
        needs: types of ops of which a model must hold one for the pass to find anything; empty if that says nothing.
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    numerics: ClassVar[Numerics] = Numerics.EXACT
    in_family: ClassVar[bool] = True
    new_interface: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def run(self, model: Model, ctx: Context) -> None:
        """Rewrite `model` in place, through `ctx` alone (`ctx.replace`, `ctx.remove`, `ctx.edit`)."""

    def pins(self, model: Model) -> Pins:
        """What the pass settles about the inputs of `model`, the one that the run begins with; nothing by default."""
        return Pins()

    def unmet(self, model: Model) -> str:
        """Why a finished model is not what this pass was asked for, so that it must not be delivered; "" if it is."""
        return ""

    def __str__(self) -> str:
        """The text that selects this pass with these options."""
        options = format_options(self)
        return f"{self.name}:{options}" if options else self.name

    @classmethod
    def doc(cls) -> str:
        """The docstring; empty if the author wrote none."""
        return "" if _is_generated(cls) else inspect.getdoc(cls) or ""


class OpPass(Pass):
    """A pass that looks at each op of the types in `needs`, and may replace more than a rule can: values elsewhere."""

    @abstractmethod
    def at(self, rw: Rewriter, op: Op) -> dict[Value, Value] | Reject:
        """What takes the place of which values, because of this op; `rw.reject(reason)` for nothing.

        Raises:
            RejectError, NotAvailable: nothing does; it is noted in the ledger, too.
        """

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each op."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type in self.needs and not op.domain and op.graph is graph:
                    rw = Rewriter(graph, op)
                    try:
                        mapping = self.at(rw, op)
                    except (NotAvailable, RejectError) as why:
                        mapping = Reject(str(why))
                    if isinstance(mapping, Reject):
                        ctx.ledger.reject(self.name, op, mapping.reason)
                    else:
                        ctx.replace(self.name, mapping, rw.staged, numerics=self.numerics)


_TAKEN = frozenset(n for n in dir(OpPass) if not n.startswith("__"))
P_ = TypeVar("P_", bound=type[Pass])


@overload
def register(cls: P_) -> P_: ...
@overload
def register(*, name: str = "", alias: str | tuple[str, ...] = ()) -> Callable[[P_], P_]: ...
def register(cls: Any = None, *, name: str = "", alias: str | tuple[str, ...] = ()) -> Any:
    """Make a frozen dataclass derived from `Pass` selectable by its name; stands above `@dataclass(frozen=True)`.

    Args:
        cls: the class, when used without parentheses.
        name: a name in place of the one derived from module and class.
        alias: one or more further names.

    Raises:
        UsageError: it is no frozen dataclass, or a field has a type that no option can have.
    """

    def decorate(cls: P_) -> P_:
        if not isinstance(cls, type) or not issubclass(cls, Pass):
            raise UsageError(f"register: {getattr(cls, '__name__', cls)!s} is not derived from gopt.Pass")
        derived = name or _derived_name(cls)
        if not (is_dataclass(cls) and cls.__dataclass_params__.frozen):
            raise UsageError(f"pass {derived}: write @dataclass(frozen=True) between @register and the class")
        if taken := [f.name for f in fields(cls) if f.name in _TAKEN]:
            raise UsageError(
                f"pass {derived}: no option can be called {taken[0]}, which every pass has; rename the field"
            )
        check_fields(derived, cls)
        cls.name = derived
        cls.aliases = (alias,) if isinstance(alias, str) else tuple(alias)
        if not cls.__module__.startswith((BUILT_IN, PLUGINS)):
            # Families and plugins are read as a whole once they are imported; a script or notebook never is.
            from .registry import REGISTRY

            REGISTRY.add_pass(cls)
        return cls

    return decorate if cls is None else decorate(cls)


def option(default: Any = MISSING, *, help: str = "") -> Any:
    """A dataclass field with a line of help; without `default` the option must be given."""
    return field(metadata={"help": help}) if default is MISSING else field(default=default, metadata={"help": help})


def module_path(module: str) -> str:
    """What a module's passes are named under: `gopt.passes.fuse.conv` is `fuse.conv`, elsewhere the last part."""
    for prefix in (BUILT_IN, PLUGINS):
        if module.startswith(prefix):
            return module.removeprefix(prefix)
    return module.rsplit(".", 1)[-1]


def _derived_name(cls: type[Pass]) -> str:
    path = module_path(cls.__module__)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
    return path if path.rsplit(".", 1)[-1] == snake else f"{path}.{snake}"


def _is_generated(cls: type[Pass]) -> bool:
    """True for the docstring that `dataclass` makes up: `Name(field: type = default)`."""
    doc = cls.__dict__.get("__doc__") or ""
    return bool(doc.startswith(f"{cls.__name__}(")) and "->" not in doc  # an equation may begin with an operator
