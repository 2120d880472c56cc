"""Plant every wrong rule, one at a time, and print what became of it: `python -m tests.planted [NAME ...]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from .judging import judge
from .plants import PLANTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="those alone whose name contains one of these")
    args = parser.parse_args()
    plants = [p for p in PLANTS if not args.names or any(name in p.name for name in args.names)]
    caught = named = right = 0
    spent = 0.0
    print(
        f"{'planted':34} {'error':>8} {'caught':7} {'named':6} {'right':6} {'s':>5}  shows on: what verification says"
    )
    for plant in plants:
        with tempfile.TemporaryDirectory(prefix="gopt-planted-") as folder:
            found = judge(plant, Path(folder))
        is_named = found.names(plant.rule)
        caught, named, right = caught + found.caught, named + is_named, right + found.right
        spent += found.seconds
        marks = [["NO", "yes"][ok] for ok in (found.caught, is_named, found.right)]
        print(
            f"{plant.name:34} {found.error:8.1e} {marks[0]:7} {marks[1]:6} {marks[2]:6} {found.seconds:5.1f}"
            f"  {plant.shows or 'most numbers'}: {found.reason[:90]}",
            flush=True,
        )
    print(f"{len(plants)} planted, {caught} caught, {named} named, {right} delivered right, {spent:.0f} s")
    return 0 if caught == named == right == len(plants) else 1


if __name__ == "__main__":
    raise SystemExit(main())
