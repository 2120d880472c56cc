"""The search for sizes of dynamic dims."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gopt.ir import DType
from gopt.ir.expressions import Dims
from gopt.verify.flow import Usage
from gopt.verify.inputs import InputSpec
from gopt.verify.sizes import Search, Variable, combinations, same_in_all, variables


def spec(
    name: str, *dims: int | str, dtype: DType = DType.FLOAT, hints: dict[int, list[int]] | None = None
) -> InputSpec:
    return InputSpec(name, "tensor", dtype, dims, Usage(dims=hints or {}))


def search(
    vary: list[Variable], runs: Callable[[Dims], bool], tries: int = 400
) -> tuple[Dims | None, Dims | None, int]:
    tried: list[Dims] = []

    def attempt(case: Dims) -> bool:
        tried.append(case)
        return runs(case)

    found = Search(vary, {"fixed": 7}, attempt, tries)
    first = found.first()
    return first, found.second(first) if first else None, len(tried)


def test_a_name_is_one_variable_and_weights_come_first() -> None:
    vary = variables([spec("x", "batch", "k", hints={1: [77]}), spec("y", "batch", "k")], {})
    assert [v.name for v in vary] == ["batch", "k"]
    assert vary[1].values[0] == 77
    assert vary[0].values[:2] == (1, 2)


def test_fixed_sizes_are_not_varied() -> None:
    assert variables([spec("x", "batch", 3)], {"batch": 4}) == []


def test_an_unknown_rank_is_a_variable() -> None:
    assert [v.name for v in variables([InputSpec("x", "tensor", DType.FLOAT, None)], {})] == ["x.rank"]


def test_likelier_combinations_come_first() -> None:
    a, b = Variable("a", (1, 2, 3)), Variable("b", (1, 2, 3))
    assert next(iter(combinations([a, b], tied=False))) == {"a": 1, "b": 1}
    assert list(combinations([a, b], tied=True)) == [{"a": k, "b": k} for k in (1, 2, 3)]
    assert len(list(combinations([a, b], tied=False))) == 9


def test_the_second_case_differs_everywhere_and_tells_height_from_width() -> None:
    vary = variables([spec("image", "n", 3, "height", "width")], {})
    first, second, tries = search(vary, lambda case: True)
    assert first
    assert second
    assert all(first[v.name] != second[v.name] for v in vary)
    assert second["height"] != second["width"]
    assert first["fixed"] == second["fixed"] == 7
    assert tries == 2


def test_nameless_batches_that_must_agree_are_found() -> None:
    vary = variables([spec("x", "x.0", "x.1"), spec("state", 2, "state.1", 128)], {})
    first, second, _ = search(vary, lambda case: case["x.0"] == case["state.1"] and case["x.1"] in (512, 576))
    assert first
    assert second
    assert all(first[v.name] != second[v.name] for v in vary)


def test_what_a_model_does_not_allow_stays_the_same() -> None:
    vary = variables([spec("x", "batch", "samples")], {})
    first, second, _ = search(vary, lambda case: case["batch"] == 1)
    assert first
    assert second
    assert same_in_all([first, second], vary) == ["batch"]


@pytest.mark.parametrize("tries", [1, 50])
def test_the_search_ends(tries: int) -> None:
    vary = [Variable(str(k), tuple(range(1, 30))) for k in range(6)]
    assert search(vary, lambda case: False, tries) == (None, None, tries)


def test_a_model_without_dynamic_dims_runs_once() -> None:
    assert search([], lambda case: True) == ({"fixed": 7}, None, 1)
