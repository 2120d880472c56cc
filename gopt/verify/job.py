"""What the worker process does: find inputs and run the original, then run candidates and compare."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..ir import DType
from ..ir.expressions import Dims
from .compare import Comparer, Comparison, Tolerance, coarser
from .flow import Facts
from .further import planned, run_again, run_further
from .given import fit
from .inner import look_inside
from .inputs import WIDTHS, specs
from .noise import Noise
from .original import Original, Run, asked_shape, settle
from .sessions import Session, Unverified, brief, seeded, stored
from .sizes import Search, Variable, same_in_all
from .stacked import Batches, compare_batches
from .styles import Style

Report = Callable[[dict[str, Any]], None]

_LARGE = 16 << 20  # bytes from which an output is kept on disk
_INDEX_TROUBLE = re.compile(
    r"out of (data )?bounds|out of range|indices|index|must be within|sequence_lens|invalid value", re.I
)
_OUT_OF_MEMORY = re.compile(r"bad_alloc|failed to allocate|cannot allocate memory|out of memory", re.I)
# Types of inputs that a candidate of another interface may take as floats instead.
_AS_FLOATS = ("tensor(uint8)", "tensor(uint16)", "tensor(int16)", "tensor(double)")
_SEARCH_SHARE = 0.6  # of the time limit may go into trying sizes


class Job:
    """State of one worker."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.folder = folder
        self.report = report
        self.original: Original | None = None
        self._noise: Noise | None = None
        self._began = 0.0

    # -- the original --------------------------------------------------------------------------------------------------

    def prepare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Load the original, find cases (unless they are given), run all of them.

        Raises:
            Unverified: it does not load, or no input was found on which it runs.
            UsageError: the user's inputs or dims do not fit the model.
        """
        path, deadline = Path(request["model"]), time.monotonic() + request["seconds"]
        self._began = time.process_time()
        original = self._read(path, request)
        session = self._load(path, original.random)
        original.kinds, original.frozen = session.inputs, frozenset(request.get("frozen", ()))
        free = settle(original, request.get("dims", {}))
        cases = request.get("cases")
        if cases is None:
            self._search(original, session, free, request, deadline)
        else:
            original.width = int(request.get("width", 0))
        found = [run.case for run in original.runs] if cases is None else cases
        count = 1 if len(original.given) == len(original.inputs) else max(len(found), request["seeds"])
        for seed in range(len(original.runs), count):
            case = found[seed % len(found)]
            started, effort = time.monotonic(), time.process_time()
            try:
                outputs = session.run(original.feed(case, seed), max(1.0, deadline - started))
            except Exception as error:
                if seed < len(found):
                    raise Unverified(f"the original does not run any more: {brief(error)}") from error
                original.notes.append(f"one of the runs was left out: {brief(error)}")
                break
            original.took(time.monotonic() - started, time.process_time() - effort)
            original.runs.append(Run(case, seed, self._keep(outputs)))
        self._note(original, free, found)
        self._run_further(original, session, free, found, request)
        self.original = original
        trying = {"event": "trying", "dims": {}, "further": True}
        self._noise = Noise(original, max(1.0, 10 * original.seconds), lambda: self.report(trying))
        return {
            "cases": found,
            "width": original.width,
            "run_seconds": original.seconds,
            "notes": original.notes,
            "further": [[run.style, run.seed, run.case] for run in original.further],
        }

    def _run_further(
        self, original: Original, session: Session, free: list[Variable], cases: list[Dims], request: Mapping[str, Any]
    ) -> None:
        """Runs beside the first ones, unless nothing can be chosen or nobody is going to compare them."""

        def make(case: Dims, seed: int, style: Style, outputs: dict[str, Any]) -> Run:
            return Run(case, seed, self._keep(outputs), style=style)

        def told(case: Dims) -> None:
            self.report({"event": "trying", "dims": case, "further": True})

        wanted = request.get("further", True)
        if request.get("once") or wanted is False or len(original.given) == len(original.inputs):
            return
        if wanted is True:
            run_further(original, session, free, cases, self._began, make, told)
        else:
            run_again(original, session, planned(wanted), max(1.0, 10 * original.seconds), make)

    def _read(self, path: Path, request: Mapping[str, Any]) -> Original:
        import onnx

        try:
            model = onnx.load(path, load_external_data=False)
            facts = Facts(model)
            inputs = specs(model, facts, request.get("inputs", {}))
        except Exception as error:
            raise Unverified(f"the original cannot be read: {brief(error)}") from error
        known = {spec.name: spec for spec in inputs}
        for spec in inputs:
            if spec.dims is None:
                spec.dims = asked_shape(spec.name, request.get("dims", {}))
        given: dict[str, Any] = {}
        for name, file in request.get("inputs", {}).items():
            if name not in known:
                raise UsageError(f"the model has no input {name!r}; it has {', '.join(map(repr, known)) or 'none'}")
            given[name] = fit(known[name], np.load(file, allow_pickle=False))
        return Original(path, facts.coarsest, facts.random, inputs, {}, given)

    def _load(self, path: Path, random: list[str]) -> Session:
        try:
            return self._session(path, random)
        except Exception as error:
            raise Unverified(f"ONNX Runtime cannot load the original: {brief(error)}") from error

    def _session(self, path: Path, random: list[str]) -> Session:
        if random:
            return Session(seeded(path, random), path.resolve().parent)
        return Session(path)

    def _search(
        self, original: Original, session: Session, free: list[Variable], request: Mapping[str, Any], deadline: float
    ) -> None:
        avoid = [dict(d) for d in request.get("avoid", ())]
        give_up = time.monotonic() + _SEARCH_SHARE * (deadline - time.monotonic())
        errors: list[str] = []
        empty: list[Run] = []

        def attempt(case: Dims) -> bool:
            if case in avoid or time.monotonic() > give_up:
                return False
            self.report({"event": "trying", "dims": case})
            seed = len(original.runs)
            started, effort = time.monotonic(), time.process_time()
            # The first run may take what is left; a second one that is far slower is not worth it.
            allowed = give_up - started if not original.runs else min(give_up - started, 5 + 20 * original.seconds)
            outputs = self._try(original, session, case, seed, allowed, errors)
            if outputs is None:
                return False
            run = Run(case, seed, self._keep(outputs))
            if _is_empty(outputs):
                empty.append(run)
                return False
            original.took(time.monotonic() - started, time.process_time() - effort)
            original.runs.append(run)
            return True

        search = Search(free, original.fixed, attempt, request["tries"])
        first = search.first()
        while first is None and not empty and original.width + 1 < WIDTHS and self._has_whole(original):
            original.width += 1
            first = Search(free, original.fixed, attempt, 20).first()
        if first is not None:
            if not request.get("once"):
                search.second(first)
        elif empty:
            original.runs.append(empty[0])
        else:
            raise Unverified(self._no_inputs(free, avoid, errors, give_up))

    def _try(
        self, original: Original, session: Session, case: Dims, seed: int, allowed: float, errors: list[str]
    ) -> dict[str, Any] | None:
        """Outputs of one try; None if it fails. An index out of range is tried again with smaller integers."""
        settled = bool(original.runs)
        for width in range(original.width, WIDTHS):
            before, original.width = original.width, width
            try:
                return session.run(original.feed(case, seed), allowed)
            except Exception as error:
                original.width = before
                errors.append(brief(error))
                if settled or not self._has_whole(original) or not _INDEX_TROUBLE.search(errors[-1]):
                    return None
        return None

    def _has_whole(self, original: Original) -> bool:
        return any(not s.dtype.is_float for s in original.inputs if s.name not in original.given)

    def _no_inputs(self, free: list[Variable], avoid: list[Dims], errors: list[str], give_up: float) -> str:
        if time.monotonic() > give_up:
            return "no input was found on which the original runs within the time limit"
        last = f"; last error: {errors[-1]}" if errors else ""
        crashed = f", {len(avoid)} of them crashed" if avoid else ""
        if free:
            names = ", ".join(v.name for v in free)
            return f"the original ran on none of the sizes tried for {names}{crashed}{last}"
        return f"the original does not run on random inputs{crashed}{last}"

    def _note(self, original: Original, free: list[Variable], cases: list[Dims]) -> None:
        if free and (same := same_in_all(cases, free)):
            original.notes.append(f"only one size was run for {', '.join(same)}")
        if original.random:
            original.notes.append("random operators were given seeds")

    def _keep(self, outputs: dict[str, Any]) -> dict[str, Any]:
        return {name: stored(value, self.folder, _LARGE) for name, value in outputs.items()}

    # -- candidates ----------------------------------------------------------------------------------------------------

    def check(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a candidate on the same inputs and compare.

        Raises:
            Unverified: the original was not prepared.
        """
        original = self.original
        if original is None:
            raise Unverified("the original has not run")
        tolerance = request.get("tolerance")
        coarsest = original.coarsest
        if request.get("coarsest"):
            coarsest = coarser(coarsest, DType[request["coarsest"]])
        comparer = Comparer(coarsest, request["exact"], Tolerance(*tolerance) if tolerance else None, request["extra"])
        renewed = bool(request.get("new_interface"))
        found = Comparison()
        runs = 0
        assert self._noise is not None
        self._noise.forgiving, self._noise.doubtful = bool(request.get("forgiving")), False
        self._noise.trusting = bool(request.get("trusting"))
        try:
            session = self._session(Path(request["model"]), original.random)
        except Exception as error:
            found.reasons.append(f"ONNX Runtime cannot load it: {brief(error)}")
        else:
            references = [run.expected for run in original.runs]
            if renewed:
                references = look_inside(original, session, request["seconds"], self._keep, found)
                comparer = replace(comparer, extra=True)
            comparer.names(list(references[0]), list(session.outputs), found)
            self._inputs(original, session, found, renewed)
            batches = Batches.of(request.get("rebatch"))
            if batches is not None:
                single = self._load(original.path, original.random)
                runs = compare_batches(original, batches, single, session, comparer, request["seconds"], found)
            while batches is None and found.equal and runs < len(original.runs):
                self._compare(original.runs[runs], references[runs], session, comparer, request["seconds"], found)
                runs += 1
            # What is coarser on purpose, or judged by a tolerance of somebody's own, need not hold for all numbers.
            coarse = bool(request.get("coarsest") or tolerance)
            if batches is None and not renewed and not coarse and found.equal:
                self._compare_further(original, session, comparer, request["seconds"], found)
        return {
            "equal": found.equal,
            "max_abs": found.max_abs,
            "max_rel": found.max_rel,
            "reason": found.reasons[0] if found.reasons else "",
            "notes": list(dict.fromkeys([*original.notes, *found.notes])),
            "runs": runs,
            "doubtful": self._noise.doubtful,
        }

    def _inputs(self, original: Original, session: Session, found: Comparison, renewed: bool) -> None:
        for name, kind in original.kinds.items():
            if name not in session.inputs and (renewed or name in original.frozen):
                continue
            if name not in session.inputs:
                found.reasons.append(f"input {name!r} is gone")
            elif session.inputs[name] == kind:
                continue
            elif renewed and session.inputs[name] == "tensor(float)" and kind in _AS_FLOATS:
                found.notes.append(f"input {name!r} takes floats; it got the same numbers")
            else:
                found.reasons.append(f"input {name!r}: {kind} became {session.inputs[name]}")
        if not renewed and (new := [name for name in session.inputs if name not in original.kinds]):
            found.reasons.append(f"there is a new input {new[0]!r}")

    def _compare(
        self,
        run: Run,
        expected: dict[str, Any],
        session: Session,
        comparer: Comparer,
        seconds: float,
        found: Comparison,
    ) -> None:
        assert self.original is not None
        sizes = " with " + ", ".join(f"{k}={v}" for k, v in run.case.items()) if run.case else ""
        try:
            feed = {**run.expected, **run.inner, **self.original.feed(run.case, run.seed, run.style)}
            taken = {k: v for k, v in feed.items() if k in session.inputs}
            for name in taken:
                if session.inputs[name] == "tensor(float)" and self.original.kinds.get(name) in _AS_FLOATS:
                    taken[name] = taken[name].astype(np.float32)
            outputs = session.run(taken, seconds)
        except Exception as error:
            if _OUT_OF_MEMORY.search(str(error)) or isinstance(error, MemoryError):
                raise Unverified(f"out of memory while the rewritten model ran{sizes}") from error
            found.reasons.append(f"it does not run{sizes}: {brief(error)}")
            return
        before = len(found.reasons)
        comparer.outputs(expected, outputs, found)
        if self._noise is not None and len(found.reasons) == before:
            found.reasons += self._noise.confirmed(run, found)
        found.suspects.clear()
        found.reasons[before:] = [reason + sizes for reason in found.reasons[before:]]

    def _compare_further(
        self, original: Original, session: Session, comparer: Comparer, seconds: float, found: Comparison
    ) -> None:
        """Compare the further runs; the errors that are told of a good result are those of the first ones."""
        careful = replace(comparer, lenient=True)
        for run in original.further:
            if run.style is Style.ODD and not comparer.exact:
                continue  # only exact rewrites promise anything there
            seen = Comparison()
            self._compare(run, run.expected, session, careful, seconds, seen)
            found.reasons += [f"{why} ({run.style} numbers)" for why in seen.reasons]
            if seen.reasons:
                found.max_abs, found.max_rel = max(found.max_abs, seen.max_abs), max(found.max_rel, seen.max_rel)
                return


def _is_empty(outputs: Mapping[str, Any]) -> bool:
    """True if no output holds an element: such a run compares nothing."""
    return bool(outputs) and all(isinstance(v, np.ndarray) and not v.size for v in outputs.values())
