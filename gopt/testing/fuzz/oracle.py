"""What must hold of a case, and the first thing of it that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import GoptError, TargetError
from ...frontends.onnx import load, to_bytes
from ...ir.check import check
from ...passes import run_pipeline
from ...rewrite import Context, Ledger, Numerics
from ...verify.validity import invalid
from ..judge import Judge, difference
from ..runner import Outputs
from ..running import RUNNER, Crashed
from .finish import Case
from .original import Run, claims, dooms, exposed, lenient, run_of
from .watch import TooSlow, limit

DEFAULT = "@default"
SECONDS = 20
"""What a pipeline may take; the models are small."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong.

    Attributes:
        kind: in a word: `numbers`, `error`, `invalid`, `interface`, `does not run`, `claim`, ...
        pipeline: what was run.
        exact: it was run with bit-exact rewrites only.
        message: what was found.
        feed: place of the inputs on which it was found.
    """

    kind: str
    pipeline: str
    message: str
    exact: bool = False
    feed: int | None = None

    def __str__(self) -> str:
        exact = " (exact)" if self.exact else ""
        where = "" if self.feed is None else f", inputs {self.feed}"
        return f"{self.kind} after {self.pipeline or 'loading'}{exact}{where}: {self.message}"


@dataclass(slots=True)
class Oracle:
    """Looks at one case.

    Attributes:
        case: the case.
        runs: what the original gives, for the inputs that it takes.
        interface: of the original.
        complaint: a wrong claim of inference about the original; "" if there is none.
        applied: rules that `look` saw applied, as often as they were.
    """

    case: Case
    runs: list[Run] = field(default_factory=list)
    interface: Any = ()
    complaint: str = ""
    applied: list[str] = field(default_factory=list)
    _judged: dict[tuple[bytes, Numerics], Failure | None] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case) -> Oracle | None:
        """What the original does; None if it is no model, or does not run on its first inputs."""
        oracle = cls(case)
        inner = exposed(case.data)
        for place, inputs in enumerate(case.feeds):
            try:
                outputs, interface = RUNNER.run(case.data, inputs)
                if outputs is None:
                    if not place:
                        return None
                    continue
                seen = RUNNER.run(inner, inputs)[0] if inner is not None else None
            except Crashed:
                if not place:
                    return None
                continue
            oracle.interface = interface
            if seen is not None and lenient(case.data, {**inputs, **seen}):
                continue
            oracle.runs.append(run_of(case, place, inputs, outputs, seen))
            if seen is not None and not oracle.runs[-1].empty and (why := claims(case.data, seen, inputs)):
                oracle.complaint = why
        return oracle

    # -- what must hold ---------------------------------------------------------------------------------------------

    def settled(self) -> Failure | None:
        """What holds of the case as it is: loading and saving changes nothing, what is inferred is so."""
        if to_bytes(load(self.case.data)) != self.case.data:
            return Failure("round trip", "", "load and save changed the file")
        if self.complaint:
            return Failure("claim", "", self.complaint)
        return None

    def look(self, pipeline: str, exact: bool = False, again: bool = False) -> Failure | None:
        """What goes wrong with a pipeline; None if nothing.

        Args:
            pipeline: what to run.
            exact: with bit-exact rewrites only.
            again: run it twice, and once more on the result: the same bytes, and nothing left to do; and half of its
                rewrites alone.
        """
        half = None
        try:
            with limit(SECONDS):
                data, ledger = rewritten(self.case.data, pipeline, exact)
            if again and rewritten(self.case.data, pipeline, exact)[0] != data:
                return Failure("two results", pipeline, "a second run gives other bytes", exact)
            if again and (rest := rewritten(data, pipeline, exact)[1].entries):
                return Failure("not at rest", pipeline, "; ".join(map(str, rest[:4])), exact)
            if again and len(ledger.entries) > 1:
                half = rewritten(self.case.data, pipeline, exact, len(ledger.entries) // 2)
        except TooSlow:
            return Failure("too slow", pipeline, f"it takes more than {SECONDS} seconds", exact)
        except TargetError:
            return None  # the wanted opset has no such operators, and that was said
        except (
            GoptError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
        ) as error:
            return Failure("error", pipeline, f"{type(error).__name__}: {error}", exact)
        self.applied += [entry.rule for entry in ledger.entries]
        found = None if data == self.case.data else self.judge(data, ledger)
        if found is None:
            return self._half(pipeline, exact, half)
        if found.kind == "does not run" and "opset.convert" in pipeline:
            return None  # of what gets another opset the runtime may have no kernel there
        return Failure(found.kind, pipeline, found.message, exact, found.feed)

    def _half(self, pipeline: str, exact: bool, half: tuple[bytes, Ledger] | None) -> Failure | None:
        """What is wrong with the model after half of the rewrites, though nothing is after all of them."""
        found = None if half is None else self.judge(*half)
        if found is None:
            return None
        return Failure("prefix", pipeline, f"half of the rewrites: {found.kind}: {found.message}", exact, found.feed)

    def judge(self, data: bytes, ledger: Ledger) -> Failure | None:
        """What is wrong with a result."""
        numerics = max((e.numerics for e in ledger.entries), default=Numerics.EXACT)
        finite = any(e.numerics is Numerics.FINITE for e in ledger.entries)
        key = (data, numerics)
        if key not in self._judged:
            self._judged[key] = self._judge(data, numerics, finite)
        return self._judged[key]

    def _judge(self, data: bytes, numerics: Numerics, finite: bool) -> Failure | None:
        if (why := invalid(data)) and not invalid(self.case.data):
            return Failure("invalid", "", why)
        for run in self.runs:
            try:
                outputs, interface = RUNNER.run(data, run.inputs)
            except Crashed as error:
                return Failure("does not run", "", str(error), feed=run.place)
            if outputs is None and (run.empty or dooms(data)):
                continue
            if outputs is None:
                return Failure("does not run", "", "the runtime refuses it", feed=run.place)
            if interface != self.interface:
                return Failure("interface", "", f"{self.interface} became {interface}", feed=run.place)
            if why := self._differ(run, outputs, numerics, finite):
                return Failure("numbers", "", why, feed=run.place)
        return None

    def _differ(self, run: Run, got: Outputs, numerics: Numerics, finite: bool) -> str:
        """What numbers differ by more than was promised.

        Kernels whose rounding depends on where in an array an element stands are EXACT only up to that.
        """
        if (finite and run.strange) or (numerics is Numerics.ROUNDING and run.wild):
            return next((why for name, want in run.outputs.items() if (why := _form(want, got.get(name)))), "")
        judge = Judge(self.case.data, run.inputs, numerics, np.random.default_rng(0))
        problems = judge.compare(run.outputs, got)[1]
        if problems and numerics is not Numerics.ROUNDING and self._positional():
            judge = Judge(self.case.data, run.inputs, Numerics.ROUNDING, np.random.default_rng(0))
            problems = judge.compare(run.outputs, got)[1]
        return "; ".join(problems[:3])

    def _positional(self) -> bool:
        return any(op.op_type in _POSITIONAL for graph in load(self.case.data).graphs() for op in graph.ops)


_POSITIONAL = frozenset(
    (
        *("Attention", "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "CumSum", "Einsum", "Erf", "Exp"),
        *("GRU", "Gelu", "Gemm", "GlobalAveragePool", "GroupNormalization", "InstanceNormalization", "LRN", "LSTM"),
        *("LayerNormalization", "LogSoftmax", "LpNormalization", "MatMul", "Mean", "MeanVarianceNormalization", "Mish"),
        *("Pow", "RMSNormalization", "RNN", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean"),
        *("ReduceProd", "ReduceSum", "ReduceSumSquare", "Resize", "Sigmoid", "Softmax", "Softplus", "Sum", "Swish"),
        *("Tanh", "Elu", "Selu", "Celu", "Cos", "Sin", "Atan", "Log", "Sinh", "Cosh", "Asinh", "HardSwish"),
    )
)
"""Operators whose kernels round one way in the vectors of an array and another way in what is left at its end, or add
up in an order that depends on the shape."""


def rewritten(data: bytes, pipeline: str, exact: bool = False, limit: int | None = None) -> tuple[bytes, Ledger]:
    """The file that a pipeline makes of one, and the ledger.

    Raises:
        GoptError: a pass failed, or an invariant of the graph is broken.
    """
    model = load(data)
    ledger = Ledger(limit=limit)
    with np.errstate(all="ignore"):
        run_pipeline(model, pipeline, Context(model, ledger, exact=exact))
    check(model)
    return to_bytes(model), ledger


def _form(want: Any, got: Any) -> str:
    """How two outputs differ in kind."""
    if isinstance(want, np.ndarray) and isinstance(got, np.ndarray):
        if want.shape == got.shape and want.dtype == got.dtype:
            return ""
        return difference(want, got, Numerics.EXACT)[1]
    return "" if type(want) is type(got) else f"{type(want).__name__} became {type(got).__name__}"
