"""Finding the rewrite that broke a model, and delivering the model without it.

A run is replayed from the input with a limit on the number of rewrites: deterministic, so the first N entries are the
same each time. The shortest prefix of the ledger that fails names the guilty entry. It is left out by its key, which
does not change when other entries are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .results import Bisection, Delivered, Guilty, LedgerLike, Repair, Status, Verification
from .verifier import Verifier

Replay = Callable[[int | None, frozenset[str]], tuple[str | Path, LedgerLike]]
"""(limit, skip) -> the model file made with at most `limit` rewrites (None: all) and without those in `skip` (keys and
rule names), and its ledger. The file need only live until the next call."""

Check = Callable[[Path, LedgerLike], Verification]
Progress = Callable[[str], None]

_ROUNDS = 2
"""`numerics` of a rewrite that promises equality over the reals alone."""
_PATIENCE = 3
"""The guilty rewrite of a rule with which the whole rule goes: most of its other rewrites may be right."""


def only_exact(ledger: LedgerLike) -> bool:
    """True if every rewrite promises bit-equal results: then the outputs must be."""
    return all(entry.numerics == 0 for entry in ledger.entries)


def bisect(
    verifier: Verifier,
    replay: Replay,
    *,
    skip: frozenset[str] = frozenset(),
    check: Check | None = None,
    progress: Progress | None = None,
) -> Bisection:
    """Find the first rewrite after which the model is wrong; costs about log2 of the number of rewrites.

    Args:
        verifier: started on the original.
        replay: makes the model again.
        skip: keys and rules that are left out from the start.
        check: how a model is judged; by default `verifier.check`, bit-equal where only exact rewrites were made.
        progress: told what is being looked at.
    """
    hunt = _Hunt(verifier, replay, check, progress)
    _, ledger, whole = hunt.judge(None, skip)
    total = len(ledger.entries)
    if whole.status is not Status.FAILED:
        reason = "the whole run is verified" if whole.ok else f"nothing can be verified: {whole.reason}"
        return Bisection(None, total, hunt.checks, whole, reason)
    guilty, reason = hunt.first_failing(skip, 0, total, whole)
    return Bisection(guilty, total, hunt.checks, whole, reason)


def repair(
    verifier: Verifier,
    replay: Replay,
    *,
    skip: frozenset[str] = frozenset(),
    check: Check | None = None,
    progress: Progress | None = None,
    rounds: int = 8,
) -> Repair:
    """After a failed verification: leave out guilty rewrites until the model verifies, else deliver the original.

    Where a third rewrite of one rule is guilty, the whole rule is left out.

    Args:
        verifier: started on the original.
        replay: makes the model again.
        skip: keys and rules that are left out from the start.
        check: how a model is judged; by default `verifier.check`, bit-equal where only exact rewrites were made.
        progress: told what is being looked at.
        rounds: guilty entries and rules to leave out at most.
    """
    hunt = _Hunt(verifier, replay, check, progress)
    found: list[Guilty] = []
    innocent = 0  # length of the longest prefix known to pass; what comes before a guilty entry is replayed unchanged
    path, ledger, verdict = hunt.judge(None, skip)
    while verdict.status is Status.FAILED and len(found) < rounds:
        guilty, reason = hunt.first_failing(skip, innocent, len(ledger.entries), verdict)
        if guilty is None:
            return _original(verifier, hunt, found, skip, verdict, reason)
        if guilty.found.doubtful and guilty.rounds:
            hunt.tell(f"ties break otherwise, which is no fault of {guilty.key}")
            verifier.forgive()
            path, ledger, verdict = hunt.judge(None, skip)
            continue
        if sum(g.rule == guilty.rule for g in found) >= _PATIENCE - 1:
            guilty = Guilty(guilty.rule, "", guilty.number, guilty.found, "rule")
            skip, innocent = skip | {guilty.rule}, 0
        else:
            skip, innocent = skip | {guilty.key}, guilty.number - 1
        if any(g.rule == guilty.rule and g.scope == "rule" for g in found):
            reason = f"rule {guilty.rule} rewrites though it is left out"
            return _original(verifier, hunt, found, skip, verdict, reason)
        found.append(guilty)
        hunt.tell(f"left out: {guilty.summary()}")
        path, ledger, verdict = hunt.judge(None, skip)
    if verdict.ok:
        return Repair(Delivered.REPAIRED, path, tuple(found), skip, ledger, verdict, hunt.checks)
    if verdict.status is Status.UNVERIFIED:
        return _original(verifier, hunt, found, skip, verdict, f"it could no longer be verified: {verdict.reason}")
    reason = f"still wrong with {len(found)} guilty rewrites left out: {verdict.reason}"
    return _original(verifier, hunt, found, skip, verdict, reason)


def _original(
    verifier: Verifier, hunt: _Hunt, found: list[Guilty], skip: frozenset[str], verdict: Verification, reason: str
) -> Repair:
    return Repair(Delivered.ORIGINAL, verifier.path, tuple(found), skip, None, verdict, hunt.checks, reason)


class _Hunt:
    """Replays and judges, and counts how often."""

    def __init__(self, verifier: Verifier, replay: Replay, check: Check | None, progress: Progress | None) -> None:
        self.verifier, self.replay, self.progress = verifier, replay, progress
        self.check = check or self._check
        self.checks = 0

    def tell(self, text: str) -> None:
        if self.progress is not None:
            self.progress(text)

    def judge(self, limit: int | None, skip: frozenset[str]) -> tuple[Path, LedgerLike, Verification]:
        """Make the model again and verify it."""
        self.tell("verifying " + ("all rewrites" if limit is None else f"the first {limit} rewrites"))
        path, ledger = self.replay(limit, skip)
        self.checks += 1
        return Path(path), ledger, self.check(Path(path), ledger)

    def first_failing(
        self, skip: frozenset[str], passing: int, failing: int, verdict: Verification
    ) -> tuple[Guilty | None, str]:
        """The last entry of the shortest failing prefix, else why there is none.

        Args:
            skip: what is left out.
            passing: length of a prefix known to pass; 0: not known yet.
            failing: length of a prefix known to fail.
            verdict: of that one.
        """
        if passing == 0:
            _, _, bare = self.judge(0, skip)
            if not bare.ok:
                return None, f"it is wrong without any rewrite: {bare.reason}"
        worst, blamed = verdict, None
        while failing - passing > 1:
            middle = (passing + failing) // 2
            _, ledger, seen = self.judge(middle, skip)
            if seen.status is Status.UNVERIFIED:
                return None, f"bisection ended: {seen.reason}"
            if seen.ok:
                passing = middle
            else:
                failing, worst, blamed = middle, seen, ledger
        if blamed is None or len(blamed.entries) < failing:
            _, blamed = self.replay(failing, skip)
        if not 0 < failing <= len(blamed.entries):
            return None, "the run cannot be replayed: the number of rewrites changes"
        entry = blamed.entries[failing - 1]
        return Guilty(entry.rule, entry.key, failing, worst, rounds=entry.numerics >= _ROUNDS), ""

    def _check(self, path: Path, ledger: LedgerLike) -> Verification:
        facts = getattr(ledger, "facts", {})
        return self.verifier.check(
            path, exact=only_exact(ledger), rebatch=facts.get("rebatch"), coarsest=facts.get("coarsest", "")
        )
