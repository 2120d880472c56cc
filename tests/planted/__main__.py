"""Plant every wrong rule, one at a time, and print what became of it: `python -m tests.planted [NAME ...]`.

Each is planted in a small model made for it; with `--models FOLDER`, in the first models of a folder in which it fires.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .judging import Outcome, judge, judge_file
from .plant import Plant
from .plants import BEYOND, PLANTS
from .real import models_with, sets_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="those alone whose name contains one of these")
    parser.add_argument("--beyond", action="store_true", help="those that are known to be missed")
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of real models")
    parser.add_argument("--most", type=int, default=2, help="real models per planted bug")
    parser.add_argument("--largest", type=float, default=50.0, help="MB of the largest real model that is taken")
    args = parser.parse_args()
    plants = [
        p for p in (BEYOND if args.beyond else PLANTS) if not args.names or any(name in p.name for name in args.names)
    ]
    print(f"{'planted':34} {'error':>8} {'caught':7} {'named':6} {'right':6} {'s':>5}  where it shows: what is said")
    sums: Counter[str] = Counter()
    paths = [p for folder in args.models for p in sorted(folder.glob("*.onnx"), key=lambda p: p.stat().st_size)]
    paths = [p for p in paths if p.stat().st_size <= args.largest * 1e6]
    if args.models:
        plants = list({p.name: p for p in reversed(plants)}.values())[::-1]  # the model made for it does not matter
    for plant in plants:
        for where, found in _outcomes(plant, paths, args.most) if args.models else _made(plant):
            sums.update(_row(plant, where, found))
    print(", ".join(f"{int(count)} {what}" for what, count in sums.items()))
    return 0 if sums["caught"] == sums["named"] == sums["planted"] and sums["right"] == sums["runs"] else 1


def _made(plant: Plant) -> Iterator[tuple[str, Outcome]]:
    with tempfile.TemporaryDirectory(prefix="gopt-planted-") as folder:
        yield plant.shows or "most numbers", judge(plant, Path(folder))


def _outcomes(plant: Plant, paths: list[Path], most: int) -> Iterator[tuple[str, Outcome]]:
    for path in models_with(plant, paths, most):
        sets = sets_of(path)
        if not sets:
            continue
        with tempfile.TemporaryDirectory(prefix="gopt-planted-") as folder:
            output = Path(folder) / "out.onnx"
            yield path.stem, judge_file(path, plant.passes, sets, [plant.rule], output)


def _row(plant: Plant, where: str, found: Outcome) -> Counter[str]:
    """Print a line; what it counts for."""
    harmless = not found.error and not found.caught
    named = found.names(plant.rule)
    marks = ["-", "-"] if harmless else [("NO", "yes")[ok] for ok in (found.caught, named)]
    print(
        f"{plant.name:34} {found.error:8.1e} {marks[0]:7} {marks[1]:6} {('NO', 'yes')[found.right]:6} "
        f"{found.seconds:5.1f}  {where}: {found.fired} sites: {found.reason[:90]}",
        flush=True,
    )
    return Counter(runs=1, planted=not harmless, caught=found.caught, named=named, right=found.right, harmless=harmless)


if __name__ == "__main__":
    raise SystemExit(main())
