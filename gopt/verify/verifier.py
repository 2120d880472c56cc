"""Verification as the rest of gopt sees it: start it with the original, ask it about candidates."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import GoptError, MissingComponentError, ModelError, ResourceError, UsageError
from ..ir import Array, Model
from .child import Child, ChildError, ChildTimeout
from .compare import Tolerance
from .given import loaded
from .results import Limits, Status, Verification

_GRACE = 15.0  # seconds that a child may take to start, and to tell of its own time limits
_LEAST = 10.0  # seconds that each run of a candidate gets at least
_CRASHES = 5  # how many assignments may crash the child before the search is given up
_INSTALL = "verification needs ONNX Runtime: pip install onnxruntime (or switch verification off: --no-verify)"


class Verifier:
    """Checks rewritten models against one original.

    The child process begins at once to find inputs and to run the original, while the caller rewrites::

        with Verifier.start("model.onnx") as verifier:
            ...                                   # rewrite, save
            result = verifier.check("model.opt.onnx")
    """

    def __init__(
        self,
        original: str | Path,
        *,
        inputs: Mapping[str, Array | str | Path] | None = None,
        dims: Mapping[str, int] | None = None,
        frozen: Sequence[str] = (),
        new_interface: bool = False,
        seeds: int = 2,
        once: bool = False,
        limits: Limits | None = None,
        tolerance: Tolerance | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        if command is None and importlib.util.find_spec("onnxruntime") is None:
            raise MissingComponentError(_INSTALL)
        self.path = Path(original).absolute()  # a link stays one: its folder is where external data are looked for
        if not self.path.is_file():
            raise ModelError(f"{original}: no such file")
        self.limits = limits or Limits()
        self.tolerance = tolerance
        self._new_interface = new_interface
        self._command = command
        self._crashed: list[dict[str, int]] = []
        self._prepared: dict[str, Any] | None = None
        self._unverified = ""
        self._closed = False
        self._forgiving = self._trusting = False
        self._arrays = {name: loaded(name, value) for name, value in (inputs or {}).items()}
        if seeds < 1 or any(int(size) < 1 for size in (dims or {}).values()):
            raise UsageError("sizes of dims and the number of seeds are at least 1")
        self._request: dict[str, Any] = {
            "do": "prepare",
            "model": str(self.path),
            "seeds": seeds,
            "dims": dict(dims or {}),
            "frozen": list(frozen),
            "once": once,
            "further": True,
        }
        self._deadline = time.monotonic() + self.limits.timeout
        self._child = self._spawn()

    @classmethod
    def start(cls, original: str | Path, **options: Any) -> Verifier:
        """Start to verify; returns at once.

        Args:
            original: the model before any rewrite.
            options: `inputs` (name -> array or .npy file; the rest is random), `dims` (name of a dim, or "input.axis",
                -> size), `frozen` (inputs among those that candidates need not have), `new_interface` (candidates
                take and give other values, which the original computes on its way), `seeds` (runs at least), `once`
                (one assignment of dynamic dims is enough), `limits`, `tolerance` (instead of that of the types).

        Raises:
            MissingComponentError: ONNX Runtime is not installed.
            ModelError: the file is not there.
            UsageError: an input file is no plain .npy file, or a size is below 1.
        """
        return cls(original, **options)

    def __enter__(self) -> Verifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child and remove all temporary files."""
        self._closed = True
        self._child.close()

    def prepare(self) -> Verification:
        """Wait until the original has run; status `unverified` if it cannot be used.

        Raises:
            UsageError: the given inputs or dims do not fit the model.
        """
        started = time.monotonic()
        while self._prepared is None and not self._unverified:
            self._await_original()
        if self._unverified:
            return Verification(Status.UNVERIFIED, reason=self._unverified, seconds=time.monotonic() - started)
        assert self._prepared is not None
        return Verification(
            Status.OK,
            cases=tuple(self._prepared["cases"]),
            seconds=time.monotonic() - started,
            notes=tuple(self._prepared["notes"]),
        )

    def check(
        self,
        candidate: str | Path,
        *,
        exact: bool = False,
        extra: bool = False,
        rebatch: Mapping[str, Any] | None = None,
        coarsest: str = "",
    ) -> Verification:
        """Run a candidate on the inputs of the original and compare all outputs.

        Args:
            candidate: the rewritten model.
            exact: only exact rewrites were made, so that the outputs must be bit-equal (up to which NaN it is).
            extra: outputs that the original does not have are allowed.
            rebatch: it has another batch size: `axes`, `was` and `size`, see `stacked.Batches`.
            coarsest: a float type that it computes in on purpose, where the original does in a finer one.

        Raises:
            ModelError: the file is not there.
            UsageError: the given inputs or dims do not fit the model.
            GoptError: the verifier is closed, or the worker made a mistake of its own.
        """
        started = time.monotonic()
        if self._closed:
            raise GoptError("the verifier is closed")
        if not Path(candidate).is_file():
            raise ModelError(f"{candidate}: no such file")
        ready = self.prepare()
        if self._prepared is None:
            return ready
        allowed = max(_LEAST, 10 * self._prepared["run_seconds"])
        patience = self.limits.timeout + _GRACE + allowed * max(self._request["seeds"], len(self._prepared["cases"]))
        patience += self.limits.timeout if rebatch else 0.0
        request = {
            "do": "check",
            "model": str(Path(candidate).resolve()),
            "exact": exact,
            "extra": extra,
            "rebatch": dict(rebatch) if rebatch else None,
            "coarsest": coarsest,
            "new_interface": self._new_interface,
            "forgiving": self._forgiving,
            "seconds": allowed,
            "tolerance": [self.tolerance.rtol, self.tolerance.atol] if self.tolerance else None,
        }
        result = self._asked(request, patience)
        return _timed(result, time.monotonic() - started, ready.cases)

    def forgive(self) -> None:
        """From now on let ties break either way: something that is right to round made them do so."""
        self._forgiving = True

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Have the worker do something else with the original, once it is prepared; the worker's answer.

        Raises:
            GoptError: the verifier is closed, or the worker made a mistake of its own.
            ResourceError: the worker crashed, hung or ran out of memory.
        """
        if self._closed:
            raise GoptError("the verifier is closed")
        self._child.send(request)
        try:
            answer = self._child.receive(seconds)
        except ChildError as error:
            self.close()
            raise ResourceError(f"the process that runs the model ended: {error}") from error
        if not answer.get("ok"):
            self._complaint(answer)
        return answer

    # -- the child -----------------------------------------------------------------------------------------------------

    def _spawn(self) -> Child:
        child = Child(self.limits.memory, self._command)
        files: dict[str, str] = {}
        for number, (name, array) in enumerate(self._arrays.items()):
            files[name] = str(child.folder / f"given-{number}.npy")
            np.save(files[name], array, allow_pickle=False)
        known = self._prepared or {}
        again = {key: known[key] for key in ("cases", "width", "further") if key in known}
        seconds = self.limits.timeout if self._prepared else max(1.0, self._deadline - time.monotonic())
        child.send(
            self._request
            | again
            | {"inputs": files, "avoid": self._crashed, "tries": self.limits.tries, "seconds": seconds}
        )
        return child

    def _await_original(self) -> None:
        """Take the answer on the original; a crash while sizes were tried is tried again without those sizes."""
        if self._closed:
            raise GoptError("the verifier is closed")
        try:
            # Loading a model cannot be interrupted: what takes long there is ended from here, soon behind the limit.
            left = max(1.0, self._deadline - time.monotonic())
            answer = self._child.receive(left + min(_GRACE, self.limits.timeout / 2), _GRACE)
        except ChildError as error:
            self._after_end(error)
        else:
            if answer.get("ok"):
                self._prepared = answer
            else:
                self._unverified = self._complaint(answer)

    def _after_end(self, error: ChildError) -> None:
        """The child ended before the original was prepared: try again without what ended it, or give up."""
        if error.further and self._request["further"]:
            self._request["further"] = False
            self._deadline = max(self._deadline, time.monotonic() + self.limits.timeout / 2)
            self._child = self._spawn()
        elif isinstance(error, ChildTimeout):
            self._unverified = f"the original did not run within {self.limits.timeout:.4g} s{_while(error)}"
        elif error.dims is not None and error.dims not in self._crashed and len(self._crashed) < _CRASHES:
            self._crashed.append(error.dims)
            self._child = self._spawn()
        else:
            self._unverified = f"ONNX Runtime could not run the original: {error}{_while(error)}"

    def _complaint(self, answer: Mapping[str, Any]) -> str:
        """Why there is no result.

        Raises:
            UsageError, GoptError: it is not for the model that there is none.
        """
        message = str(answer.get("message", "no answer"))
        if answer.get("kind") == "usage":
            raise UsageError(message)
        if answer.get("kind") == "internal":
            raise GoptError(f"the verifying process failed: {message}")
        return message

    def _asked(self, request: dict[str, Any], patience: float) -> Verification:
        """The child's answer about a candidate, or what its end says."""
        for trusting in (self._trusting, True):
            self._child.send({**request, "trusting": trusting})
            try:
                return self._verification(self._child.receive(patience))
            except ChildError as error:
                result = self._after_crash(error)
                if not error.further or self._trusting or self._prepared is None:
                    break
                self._trusting = True  # it was the original, on which something was tried
        return result

    def _after_crash(self, error: ChildError) -> Verification:
        """The candidate ended the child: a new child runs the original again, for the next question."""
        if isinstance(error, ChildTimeout):
            result = Verification(Status.FAILED, reason=f"it hangs where the original runs ({error})")
        elif "memory" in str(error):
            result = Verification(Status.UNVERIFIED, reason=f"the rewritten model ended its process: {error}")
        else:
            result = Verification(Status.FAILED, reason=f"it crashes ONNX Runtime where the original runs: {error}")
        self._child = self._spawn()
        try:
            answer = self._child.receive(self.limits.timeout + _GRACE)
        except ChildError as again:
            self._unverified, self._prepared = f"the original did not run a second time: {again}", None
        else:
            if not answer.get("ok"):
                self._unverified, self._prepared = self._complaint(answer), None
        return result

    def _verification(self, answer: Mapping[str, Any]) -> Verification:
        if not answer.get("ok"):
            return Verification(Status.UNVERIFIED, reason=self._complaint(answer))
        return Verification(
            Status.OK if answer["equal"] else Status.FAILED,
            max_abs=answer["max_abs"],
            max_rel=answer["max_rel"],
            runs=answer["runs"],
            reason=answer["reason"],
            notes=tuple(answer["notes"]),
            doubtful=bool(answer.get("doubtful")),
        )


def verify(
    original: str | Path | Model,
    candidate: str | Path | Model,
    *,
    inputs: Mapping[str, Array | str | Path] | None = None,
    dims: Mapping[str, int] | None = None,
    seeds: int = 2,
    timeout: float = 120.0,
    memory: int | None = None,
    exact: bool = False,
    extra: bool = False,
    tolerance: Tolerance | None = None,
) -> Verification:
    """Run two models in ONNX Runtime on the same inputs, graph optimizations off, and compare their outputs.

    Args:
        original: the reference: a file, or a model in memory (saved to a temporary file).
        candidate: what is judged.
        inputs: name -> array or .npy file; inputs that are not given are random.
        dims: sizes of dynamic dims, by name or "input.axis"; the rest is found by trying.
        seeds: each model runs at least so many times.
        timeout: seconds for finding inputs and running the original.
        memory: bytes that the process which runs the models may allocate.
        exact: demand the same bits.
        extra: outputs that only the candidate has are allowed.
        tolerance: error allowed instead of that of the types.

    Raises:
        MissingComponentError: ONNX Runtime is not installed.
        ModelError: a file is not there.
        UsageError: `inputs` or `dims` do not fit the model.
    """
    with tempfile.TemporaryDirectory(prefix="gopt-verify-") as folder:
        first, second = (_file(m, Path(folder) / f"{k}.onnx") for k, m in enumerate((original, candidate)))
        limits = Limits(timeout=timeout, memory=memory)
        with Verifier(first, inputs=inputs, dims=dims, seeds=seeds, limits=limits, tolerance=tolerance) as verifier:
            return verifier.check(second, exact=exact, extra=extra)


def _file(model: str | Path | Model, place: Path) -> Path:
    if not isinstance(model, Model):
        return Path(model)
    from ..frontends.onnx import save

    save(model, place)
    return place


def _timed(result: Verification, seconds: float, cases: tuple[dict[str, int], ...]) -> Verification:
    return replace(result, cases=cases, seconds=seconds)


def _while(error: ChildError) -> str:
    return " with " + ", ".join(f"{k}={v}" for k, v in error.dims.items()) if error.dims else ""
