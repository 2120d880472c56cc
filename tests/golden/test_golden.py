"""Each golden case: the printed result is the expected text, the model is valid, and it computes the same."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.parser
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.frontends.text import parse
from gopt.ir import Array, TensorType, Value
from gopt.ir.check import check
from gopt.ir.printer import to_text
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Ledger, Numerics
from gopt.testing.check import difference, run

from . import cases
from .cases import Case

EVERYTHING = 1 << 20
"""Constants of up to so many elements are printed whole."""


@pytest.mark.parametrize("case", cases.read_all(), ids=lambda case: case.id)
def test_golden(case: Case, pytestconfig: pytest.Config) -> None:
    before = onnx.parser.parse_model(case.model)
    model = load(before)
    untouched = to_text(model, elide=EVERYTHING)
    ledger = Ledger()
    ctx = Context(model, ledger, exact="exact" in case.keys, max_growth=int(case.keys.get("max_growth", 1 << 20)))
    run_pipeline(model, case.keys["passes"], ctx)
    check(model)
    after = to_text(model, elide=EVERYTHING)
    _compare_numbers(case, before.SerializeToString(), to_bytes(model), ledger)
    if case.after is None:
        assert [str(entry) for entry in ledger.entries] == []
        assert after == untouched
        return
    assert ledger.entries, "nothing was rewritten; is it `=> unchanged`?"
    if pytestconfig.getoption("update_golden"):
        cases.update(case, cases.without_header(after))
        return
    assert cases.without_header(after) == case.after, "if this is right: pytest tests/golden --update-golden"


@pytest.mark.parametrize("path", cases.files(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_printed_is_read_again_and_printed_alike(path: Path) -> None:
    for case in cases.read(path):
        printed = to_text(parse(case.model), elide=EVERYTHING)
        assert to_text(parse(printed), elide=EVERYTHING) == printed, case.id
        if case.after is not None:
            text = case.after if case.after.startswith("<") else f"{cases.HEADER}\n{case.after}"
            assert cases.without_header(to_text(parse(text), elide=EVERYTHING)) == case.after, case.id


def _compare_numbers(case: Case, before: bytes, after: bytes, ledger: Ledger) -> None:
    """Run both models on the same seeded inputs; inputs with a default once with and once without a value."""
    if "run" in case.keys:
        return
    onnx.checker.check_model(after, full_check=True)
    numerics = max((entry.numerics for entry in ledger.entries), default=Numerics.EXACT)
    given = load(before).graph.inputs
    for values in ([v for v in given if v.tensor is None], given):
        inputs = _inputs(case, values)
        want, got = run(before, inputs), run(after, inputs)
        assert want is not None, "ONNX Runtime does not run the model; `run: no` says so if that is meant"
        assert got is not None, "ONNX Runtime does not run the rewritten model"
        assert want.keys() == got.keys()
        for name in want:
            assert difference(want[name], got[name], numerics)[1] == "", name


def _inputs(case: Case, values: list[Value]) -> dict[str, Array]:
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    sizes = case.sizes
    spare = iter((2, 3, 5, 7))
    inputs: dict[str, Array] = {}
    for value in values:
        type_ = value.declared.type if value.declared is not None else None
        assert isinstance(type_, TensorType)
        assert type_.shape is not None
        shape = [d if isinstance(d, int) else sizes.setdefault(str(d), next(spare)) for d in type_.shape]
        dtype = type_.dtype.numpy
        if dtype.kind == "f":
            inputs[value.name] = rng.normal(size=shape).astype(dtype)
        else:
            inputs[value.name] = rng.integers(0, 2 if dtype.kind == "b" else 5, shape).astype(dtype)
    return inputs


def test_a_case_is_read_and_updated(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    first = "# About.\n\n== One\n# Why.\npasses: clean\nexact: yes\ng () => () {\n}\n=>\nold\n"
    path.write_text(f"{first}\n== Two\npasses: fold\n<ir_version: 3>\ng () => () {{ }}\n=> unchanged\n")
    one, two = cases.read(path)
    assert (one.title, one.keys, one.after) == ("One", {"passes": "clean", "exact": "yes"}, "old")
    assert one.model == f"{cases.HEADER}\ng () => () {{\n}}"
    assert two.after is None
    assert two.model.startswith("<ir_version: 3>")
    cases.update(one, "new\ntext")
    again, still = cases.read(path)
    assert again.after == "new\ntext"
    assert still == two


@pytest.mark.parametrize("text", ["", "== T\ng () => () { }\n=>\n", "== T\npasses: a\ng () => () { }\n", "== T\n=>\n"])
def test_a_file_that_is_not_written_so_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(ValueError):
        cases.read(path)
