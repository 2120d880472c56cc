"""Real models through the whole of gopt: verified, same interface, valid, at a fixed point, same bytes each time."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import gopt
from gopt.api import apply
from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check

pytestmark = [pytest.mark.models, pytest.mark.slow]


def interface(path: Path) -> list[bytes]:
    """What a caller sees. Below IR version 4 weights had to be listed among the inputs: they are none."""
    model = onnx.load(path, load_external_data=False)
    weights = {t.name for t in model.graph.initializer} if model.ir_version < 4 else set()
    inputs = [value for value in model.graph.input if value.name not in weights]
    return [value.SerializeToString(deterministic=True) for value in (*inputs, *model.graph.output)]


def test_default_is_verified(model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    result = gopt.run(model_path, output=out, on_mismatch="abort")
    assert result.verification is not None
    assert result.verification.status == "ok", result.verification.reason
    assert not result.failed
    check(result.model)
    onnx.checker.check_model(out)
    assert interface(out) == interface(model_path)


def test_default_ends_at_a_fixed_point_with_the_same_bytes(model_path: Path) -> None:
    # Without growth: what a first run left for lack of budget, a second one with a budget of its own would take up.
    once, again = load(model_path), load(model_path)
    apply(once, "@default", max_growth=0)
    apply(again, "@default", max_growth=0)
    assert to_bytes(once) == to_bytes(again)
    result = load(to_bytes(once))
    _, ledger = apply(result, "@default", max_growth=0)
    assert [str(e) for e in ledger.entries] == []


def test_untouched_is_unchanged(model_path: Path) -> None:
    data = model_path.read_bytes()
    assert onnx.ModelProto.FromString(to_bytes(load(data))) == onnx.ModelProto.FromString(data)
