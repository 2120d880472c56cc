"""`python -m gopt.testing.fuzz`: run the fuzzer by hand."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from .session import Tally, fuzz

_OFTEN = 500
"""Seeds between two lines of progress."""


def main() -> int:
    """Run from the command line; exit status 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m gopt.testing.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--count", type=int, help="seeds to look at; without it, until --seconds are over")
    parser.add_argument("--seconds", type=float, help="stop after that time")
    parser.add_argument("--corpus", type=Path, help="folder in which failures are kept")
    parser.add_argument("--raw", action="store_true", help="do not make failures small")
    parser.add_argument("--rules", action="store_true", help="print how often each rule was applied")
    given = parser.parse_args()
    seeds = itertools.count(given.seed) if given.count is None else range(given.seed, given.seed + given.count)
    if given.count is None and given.seconds is None:
        parser.error("say --count or --seconds")

    def tell(text: str) -> None:
        print(text, flush=True)

    def progress(tally: Tally) -> None:
        if tally.drawn % _OFTEN == 0:
            print(tally.summary(), file=sys.stderr, flush=True)

    tally = fuzz(seeds, given.seconds, not given.raw, given.corpus, tell, progress)
    if given.rules:
        for name, count in sorted(tally.rules.items()):
            print(f"{count:8} {name}")
    print(tally.summary())
    return int(bool(tally.found or tally.broken))


if __name__ == "__main__":
    sys.exit(main())
