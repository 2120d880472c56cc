"""All malformed models through the command line: `python -m tests.malformed [--family NAME] [--name TEXT]`."""

from __future__ import annotations

import argparse
from collections import Counter

from .families import FAMILIES, chosen
from .runner import judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.malformed", description=__doc__)
    parser.add_argument("--family", choices=FAMILIES, help="these alone")
    parser.add_argument("--name", default="", help="those alone whose name contains this")
    parser.add_argument("--share", type=float, default=1.0, help="of each family of chance damage")
    parser.add_argument("--every", action="store_true", help="all commands on each, not some in turn")
    parser.add_argument("--slow", type=float, default=5.0, help="seconds from which on a command is listed")
    args = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    faults, most, longest = 0, 0, 0.0
    for case in chosen(args.family, args.share):
        if args.name not in case.name:
            continue
        for command, outcome in judge(case, every=args.every):
            counts.setdefault(f"{case.family} {command}", Counter())[outcome.kind] += 1
            most, longest = max(most, outcome.memory), max(longest, outcome.seconds)
            if outcome.wrong or outcome.seconds > args.slow:
                what = f"FAULT: {outcome.wrong}" if outcome.wrong else "slow"
                print(f"{case.family}: {case.name}: {command}: {what} ({outcome.seconds:.1f} s)", flush=True)
                print("\n".join(f"    {line}" for line in outcome.errors.splitlines()[-8:]))
            faults += bool(outcome.wrong)
    for name, found in counts.items():
        print(f"{name:26}", ", ".join(f"{kind} {count}" for kind, count in sorted(found.items())))
    print(f"{faults} faults; longest {longest:.1f} s, most memory {most >> 20} MB")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
