"""Which pipelines a case is put through."""

from __future__ import annotations

from functools import cache

from ...passes import REGISTRY, list_passes
from ..plans import Rng, pick
from .oracle import DEFAULT

FAMILIES = ("inline", "fold", "clean", "layout", "fuse", "outline")
_OPSETS = (13, 17, 18, 20, 21, 23)


@cache
def _names() -> tuple[str, ...]:
    """Names of files, rules and passes of the families that keep a model's interface, and that can run alone."""
    REGISTRY.load_built_in()
    known = [info for info in list_passes() if info.family in FAMILIES]
    names = {name: None for info in known for name in (info.name, ".".join(info.name.split(".")[:2]))}
    return tuple(name for name in names if REGISTRY.find(name))  # some must be named in full


def plan(rng: Rng, families: bool = True) -> list[tuple[str, bool, bool]]:
    """Pipelines for one case: text, whether bit-exact, whether to be run again on the result.

    Args:
        rng: decides.
        families: each family alone too.
    """
    found = [(DEFAULT, False, True), (DEFAULT, True, False)]
    if families:
        found += [(family, False, False) for family in FAMILIES]
    order = [FAMILIES[int(k)] for k in rng.permutation(len(FAMILIES))]
    found.append((",".join(order[: int(rng.integers(2, len(order) + 1))]), False, False))
    some = [pick(rng, list(_names())) for _ in range(int(rng.integers(1, 12)))]
    text = ",".join(dict.fromkeys(some))
    again = rng.random() < 0.5 and "outline" not in text  # inline undoes what outline does
    found.append((f"({text})*" if again else text, bool(rng.random() < 0.3), False))
    if rng.random() < 0.15:
        found.append((f"opset.convert:to={pick(rng, list(_OPSETS))},@default", False, False))
    return found
