"""Results of single samples put together again, to be compared with those of a whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt.verify.stacked import Batches, Group, expected, feeds, groups, joined


def made(case: dict[str, int], seed: int) -> dict[str, Any]:
    return {"x": np.full((1, 2), seed), "shared": np.array(seed)}


@pytest.mark.parametrize(("size", "was", "runs"), [(3, 1, 3), (1, 1, 1), (5, 2, 3), (100, 1, 8), (1, 4, 1)])
def test_as_many_runs_as_a_batch_needs_up_to_a_limit(size: int, was: int, runs: int) -> None:
    (group,) = groups(Batches({"x": 0}, was, (size,)), [{}])
    assert len(group.seeds) == len(set(group.seeds)) == runs


def test_any_size_is_tried_with_two_small_ones() -> None:
    batches = Batches.of({"axes": {"x": 0}, "was": 1, "size": None})
    assert batches is not None
    assert [group.size for group in groups(batches, [{"n": 1}, {"n": 2}])] == [2, 3, 2, 3]
    assert Batches.of(None) is None


def test_samples_are_stacked_and_what_is_shared_stays() -> None:
    batches = Batches({"x": 0}, 1, (3,))
    (group,) = groups(batches, [{}])
    parts = feeds(batches, group, made)
    assert len({int(part["shared"]) for part in parts}) == 1
    whole = joined(batches, group, parts)
    assert whole["x"].tolist() == [[seed, seed] for seed in group.seeds]


def test_a_large_batch_repeats_its_samples() -> None:
    batches = Batches({"x": 1}, 2, (21,))
    (group,) = groups(batches, [{}])
    assert joined(batches, group, feeds(batches, group, made))["x"].shape == (1, 21)


def outcome(parts: list[Any], found: Any, was: int = 1, size: int = 2) -> tuple[Any, str]:
    group = Group({}, size, list(range(len(parts))), [{"y": np.array(part)} for part in parts])
    values, problem = expected(Batches({"x": 0}, was, (size,)), group, {"y": np.array(found)})
    return (values["y"].tolist() if values else None), problem


def test_results_are_put_together_along_the_axis_that_has_grown() -> None:
    assert outcome([[[1, 2]], [[3, 4]]], np.zeros((2, 2))) == ([[1, 2], [3, 4]], "")
    assert outcome([[[1], [2]], [[3], [4]]], np.zeros((2, 2))) == ([[1, 3], [2, 4]], "")
    assert outcome([[1, 2], [3, 4]], np.zeros(4)) == ([1, 2, 3, 4], "")
    assert outcome([[[1], [2]], [[3], [4]]], np.zeros((3, 1)), was=2, size=3) == ([[1], [2], [3]], "")


def test_what_does_not_grow_must_be_the_same_for_all() -> None:
    assert outcome([[7, 8], [7, 8]], [0, 0]) == ([7, 8], "")
    assert "is of [2] for all samples, but each has its own" in outcome([[7, 8], [7, 9]], [0, 0])[1]


def test_shapes_that_cannot_be_compared_are_told() -> None:
    assert "became [3, 2]" in outcome([[[1, 2]], [[3, 4]]], np.zeros((3, 2)))[1]
    assert "became [2, 2, 2]" in outcome([[[1, 2]], [[3, 4]]], np.zeros((2, 2, 2)))[1]
    assert "another shape for each sample" in outcome([[1, 2], [3]], np.zeros(3))[1]
