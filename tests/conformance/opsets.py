"""ONNX's backend cases brought to other opsets: `python -m tests.conformance.opsets [WORD] [--to 26 --to 13]`.

A case passes at an opset if the model says so, the checker takes it (if it took the original) and ONNX Runtime computes
the expected outputs (if it did plain); ops that have no counterpart there must be named, and the model left as it was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import onnx

import gopt
from gopt.errors import GoptError, TargetError
from gopt.frontends.onnx import to_bytes
from gopt.testing.backend_cases import BackendCase, backend_cases

from .cases import verdict
from .suite import _checker

TARGETS = (26, 19, 17, 13)  # the newest that the installed ONNX Runtime takes, and what targets need
# Kernels that the installed ONNX Runtime has for an operator's own opset, and not for later ones that left it alone.
LACKING = frozenset({("node/test_swish", 26)})
BATCH = 60


@dataclass
class Outcome:
    """How a case fared: by opset "" if it passes, "blocked: ..." or "FAILED: ..."; nothing if it fails plain."""

    case: str
    by_opset: dict[int, str] = field(default_factory=dict)


def examine(case: BackendCase, targets: tuple[int, ...] = TARGETS) -> Outcome:
    """Convert one case to each opset and run it there."""
    data = case.model.read_bytes()
    outcome = Outcome(case.name)
    version = next((o.version for o in onnx.load(case.model).opset_import if o.domain in ("", "ai.onnx")), 0)
    if version and not verdict(data, case):
        outcome.by_opset = {t: _at(case, data, t) for t in targets if (case.name, t) not in LACKING}
    return outcome


def _at(case: BackendCase, data: bytes, target: int) -> str:
    model = gopt.load(case.model)
    try:
        gopt.run(model, f"opset:to={target}", verify=False)
    except TargetError as error:
        same = to_bytes(model) == data
        return f"blocked: {error}" if same else f"FAILED: changed, but blocked: {error}"
    except GoptError as error:
        return f"FAILED: {type(error).__name__}: {error}"
    if model.opsets.get("") != target or any(g.opsets.get("", target) != target for g in model.graphs()):
        return f"FAILED: it is at {model.opsets}"
    made = to_bytes(model)
    why = _checker(data, made) or verdict(made, case)
    return f"FAILED: {why}" if why else ""


def _several(cases: list[BackendCase], targets: tuple[int, ...]) -> list[Outcome]:
    return [examine(case, targets) for case in cases]


def in_batches(cases: list[BackendCase], targets: tuple[int, ...], size: int = BATCH) -> list[Outcome]:
    """Outcomes of all cases; a batch whose process dies is taken apart until the case that kills it is alone."""
    outcomes: list[Outcome] = []
    for start in range(0, len(cases), size):
        batch = cases[start : start + size]
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
            try:
                outcomes += pool.submit(_several, batch, targets).result()
            except BrokenProcessPool:
                alone = Outcome(batch[0].name, dict.fromkeys(targets, "FAILED: the process died"))
                outcomes += [alone] if size == 1 else in_batches(batch, targets, 1)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only cases whose name holds this")
    parser.add_argument("--to", action="append", type=int, help=f"opsets to try (default: {TARGETS})")
    parser.add_argument("--blocked", action="store_true", help="list what is blocked too")
    args = parser.parse_args()
    targets = tuple(args.to or TARGETS)
    outcomes = in_batches([c for c in backend_cases() if args.word in c.name], targets)
    counts: dict[int, Counter[str]] = {t: Counter() for t in targets}
    for outcome in outcomes:
        for target, what in outcome.by_opset.items():
            counts[target][what.split(":")[0] or "passed"] += 1
            if what.startswith("FAILED") or (what and args.blocked):
                print(f"{outcome.case}: {target}: {what[:300]}")
    print(f"\n{len(outcomes)} cases, {sum(bool(o.by_opset) for o in outcomes)} pass ONNX Runtime plain")
    for target, count in counts.items():
        print(f"  opset {target}: {count['passed']} passed, {count['blocked']} blocked, {count['FAILED']} failed")
    return int(any(count["FAILED"] for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
