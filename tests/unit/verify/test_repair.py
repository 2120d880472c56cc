"""Bisection and repair over fake replays: a rewrite is a name, a model is wrong if it holds a guilty one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from gopt.verify import Delivered, Status, Verification, Verifier, bisect, repair
from gopt.verify.repair import LedgerLike, only_exact

ORIGINAL = Path("original.onnx")
VERIFIER: Any = SimpleNamespace(path=ORIGINAL)


@dataclass
class Entry:
    rule: str
    key: str
    numerics: int = 0


@dataclass
class Run:
    entries: list[Entry]


class World:
    """Runs of a pipeline whose rewrites are `names` ("rule:output"), of which some are guilty."""

    def __init__(self, names: Collection[str], guilty: Callable[[list[str]], bool]) -> None:
        self.names, self.guilty, self.checks = list(names), guilty, 0

    def replay(self, limit: int | None, skip: frozenset[str]) -> tuple[Path, Run]:
        left = [n for n in self.names if n not in skip and n.split(":")[0] not in skip]
        return Path("candidate.onnx"), Run([Entry(n.split(":")[0], n) for n in left[:limit]])

    def check(self, path: Path, ledger: LedgerLike) -> Verification:
        self.checks += 1
        wrong = self.guilty([e.key for e in ledger.entries])
        return Verification(Status.FAILED, max_abs=1, reason="wrong") if wrong else Verification(Status.OK)


def names(count: int, rules: int = 5) -> list[str]:
    return [f"r{k % rules}:v{k}" for k in range(count)]


@pytest.mark.parametrize("place", [0, 1, 499, 998, 999])
def test_the_guilty_rewrite_is_found_in_about_log2_checks(place: int) -> None:
    world = World(names(1000), lambda keys: f"r{place % 5}:v{place}" in keys)
    found = bisect(VERIFIER, world.replay, check=world.check)
    assert found.guilty
    assert (found.guilty.key, found.guilty.number) == (f"r{place % 5}:v{place}", place + 1)
    assert found.checks == world.checks <= 13
    fixed = repair(VERIFIER, world.replay, check=world.check)
    assert fixed.delivered is Delivered.REPAIRED
    assert fixed.skip == {found.guilty.key}
    assert fixed.verification.ok
    assert len(fixed.ledger.entries) == 999


def test_nothing_is_guilty_of_a_good_run() -> None:
    world = World(names(10), lambda keys: False)
    found = bisect(VERIFIER, world.replay, check=world.check)
    assert found.guilty is None
    assert found.checks == 1
    assert repair(VERIFIER, world.replay, check=world.check).guilty == ()


def test_several_guilty_rewrites_of_different_rules() -> None:
    bad = {"r1:v6", "r2:v17", "r4:v19"}
    world = World(names(40), lambda keys: bool(bad & set(keys)))
    fixed = repair(VERIFIER, world.replay, check=world.check)
    assert fixed.delivered is Delivered.REPAIRED
    assert fixed.skip == bad
    assert [g.key for g in fixed.guilty] == ["r1:v6", "r2:v17", "r4:v19"]
    assert "r2:v17" in fixed.summary()


def test_a_rule_that_is_guilty_again_is_left_out_whole() -> None:
    world = World(names(200), lambda keys: any(k.startswith("r3:") for k in keys))
    fixed = repair(VERIFIER, world.replay, check=world.check)
    assert fixed.delivered is Delivered.REPAIRED
    assert [g.scope for g in fixed.guilty] == ["entry", "entry", "rule"]
    assert "r3" in fixed.skip
    assert len(fixed.ledger.entries) == 160


def test_the_other_rewrites_of_a_rule_that_is_wrong_twice_stay() -> None:
    world = World(names(50), lambda keys: bool({"r3:v8", "r3:v43"} & set(keys)))
    fixed = repair(VERIFIER, world.replay, check=world.check)
    assert fixed.skip == {"r3:v8", "r3:v43"}
    assert len(fixed.ledger.entries) == 48


def test_a_model_that_is_wrong_without_rewrites_is_not_blamed_on_one() -> None:
    world = World(names(20), lambda keys: True)
    found = bisect(VERIFIER, world.replay, check=world.check)
    assert found.guilty is None
    assert "without any rewrite" in found.reason
    fixed = repair(VERIFIER, world.replay, check=world.check)
    assert (fixed.delivered, fixed.path, fixed.ledger) == (Delivered.ORIGINAL, ORIGINAL, None)
    assert "ORIGINAL" in fixed.summary()


def test_too_many_guilty_rules_end_with_the_original() -> None:
    world = World([f"r{k}:v{k}" for k in range(60)], lambda keys: len(keys) > 3)
    fixed = repair(VERIFIER, world.replay, check=world.check, rounds=4)
    assert fixed.delivered is Delivered.ORIGINAL
    assert len(fixed.guilty) == 4
    assert "still wrong" in fixed.reason


def test_a_replay_that_does_not_leave_out_what_it_is_told_to_ends() -> None:
    world = World(names(20), lambda keys: "r1:v6" in keys)
    fixed = repair(VERIFIER, lambda limit, skip: world.replay(limit, frozenset()), check=world.check)
    assert fixed.delivered is Delivered.ORIGINAL
    assert "though it is left out" in fixed.reason


def test_what_can_no_longer_be_verified_ends_with_the_original() -> None:
    world = World(names(20), lambda keys: "r1:v6" in keys)

    def check(path: Path, ledger: LedgerLike) -> Verification:
        found = world.check(path, ledger)
        return Verification(Status.UNVERIFIED, reason="tired") if world.checks > 4 else found

    assert "tired" in repair(VERIFIER, world.replay, check=check).reason


def test_exactness_is_demanded_only_of_exact_rewrites() -> None:
    assert only_exact(Run([Entry("a", "a")]))
    assert not only_exact(Run([Entry("a", "a"), Entry("b", "b", numerics=2)]))


def test_repair_with_real_models(tmp_path: Path) -> None:
    """A pipeline of three rewrites, one of which is wrong: the model without it is delivered."""

    def write(name: str, *ops: str) -> Path:
        body = "  ".join(f"v{k + 1} = {op}(v{k})" for k, op in enumerate(ops))
        text = f'<ir_version: 8, opset_import: ["": 18]> g (float[N] v0) => (float[N] v{len(ops)}) {{ {body} }}'
        proto = onnx.parser.parse_model(text.replace(f"v{len(ops)}", "y"))
        onnx.save(proto, tmp_path / name)
        return tmp_path / name

    pieces = {"a": ("Abs", "Relu"), "b": ("Neg", "Exp"), "c": ("Neg", "Neg")}  # before and after
    said: list[str] = []

    def replay(limit: int | None, skip: frozenset[str]) -> tuple[Path, Run]:
        done = [k for k in pieces if f"fuse:{k}" not in skip][:limit]
        ops = [pieces[k][k in done] if k != "a" else "Abs" for k in pieces]
        return write("candidate.onnx", *ops, "Relu"), Run([Entry("fuse", f"fuse:{k}") for k in done])

    original = write("original.onnx", "Abs", "Neg", "Neg", "Relu")
    with Verifier.start(original) as verifier:
        fixed = repair(verifier, replay, progress=said.append)
    assert fixed.delivered is Delivered.REPAIRED
    assert fixed.verification.ok
    assert fixed.skip == {"fuse:b"}
    assert [g.found.status for g in fixed.guilty] == [Status.FAILED]
    assert any("left out" in text for text in said)
