"""All of ONNX's backend cases, or those whose name holds a word: `python -m tests.conformance [WORD] [--jobs 2]`.

Cases run in forked processes, a batch each, so that a native crash costs one case. Ends with the counts; exit status 1
if a case that passes ONNX Runtime plain fails after a pipeline.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from gopt.testing.backend_cases import BackendCase, backend_cases

from .suite import PIPELINES, Outcome, examine

BATCH = 40


def examine_all(cases: list[BackendCase], pipelines: tuple[str, ...]) -> list[Outcome]:
    """Outcomes of a batch, in this process."""
    return [examine(case, pipelines) for case in cases]


def in_batches(cases: list[BackendCase], pipelines: tuple[str, ...], jobs: int, size: int) -> list[Outcome]:
    """Outcomes of all cases; a batch whose process dies is taken apart until the case that kills it is alone."""
    batches = [cases[k : k + size] for k in range(0, len(cases), size)]
    outcomes: list[Outcome] = []
    again: list[BackendCase] = []
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for batch, future in [(b, pool.submit(examine_all, b, pipelines)) for b in batches]:
            try:
                outcomes += future.result()
            except BrokenProcessPool:
                again += batch
            print(".", end="", flush=True, file=sys.stderr)
    if not again:
        return outcomes
    if size == 1:
        return outcomes + [_alone(case, pipelines) for case in again]
    return outcomes + in_batches(again, pipelines, jobs, 1)


def _alone(case: BackendCase, pipelines: tuple[str, ...]) -> Outcome:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(examine, case, pipelines).result()
        except BrokenProcessPool:
            return Outcome(case.name, "", {"process": "died"})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only cases whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--passes", action="append", help=f"pipelines to try (default: {', '.join(PIPELINES)})")
    parser.add_argument("--json", help="write all outcomes there")
    args = parser.parse_args()
    pipelines = tuple(args.passes or PIPELINES)
    cases = [c for c in backend_cases() if args.word in c.name]
    outcomes = sorted(in_batches(cases, pipelines, args.jobs, BATCH), key=lambda o: o.case)
    for outcome in outcomes:
        for pipeline, why in outcome.failures.items():
            print(f"{outcome.case}: {pipeline}: {why[:300]}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump([vars(o) for o in outcomes], file, indent=1)
    plain = sum(not o.plain for o in outcomes)
    print(
        f"\n{len(outcomes)} cases, {plain} pass ONNX Runtime plain, {sum(o.rewrites > 0 for o in outcomes)} rewritten"
    )
    for pipeline in ("round trip", "process", *pipelines):
        print(f"  {pipeline:12} {sum(pipeline in o.failures for o in outcomes)} failures")
    return int(any(o.failures for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
