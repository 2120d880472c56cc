"""The table of schemas is what onnx says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from onnx import defs

from gopt.ir import AttrKind, DType
from gopt.ops.schemas import names, schema

ROOT = Path(__file__).resolve().parents[3]
TABLE_OF_OPSET = 27


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_schemas", ROOT / "tools" / "make_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(defs.onnx_opset_version() != TABLE_OF_OPSET, reason="the table is that of another onnx")
def test_the_table_is_up_to_date() -> None:
    tool = _tool()
    assert tool.TARGET.read_text(encoding="utf-8") == tool.text()


def test_versions_in_which_an_operator_lives() -> None:
    relu, upsample, group_norm = schema("Relu"), schema("Upsample"), schema("GroupNormalization")
    assert relu is not None and upsample is not None and group_norm is not None  # noqa: PT018
    assert relu.available(1)
    assert relu.available(99)
    assert upsample.available(9)
    assert not upsample.available(10)
    assert not group_norm.available(18)
    assert group_norm.available(21)
    assert schema("Gadget") is None
    assert schema("Relu", "acme") is None
    assert ("ai.onnx.ml", "Scaler") in set(names())


def test_attributes_and_types_by_version() -> None:
    clip, softmax = schema("Clip"), schema("Softmax")
    assert clip is not None and softmax is not None  # noqa: PT018
    assert clip.has_attribute("min", 6)
    assert not clip.has_attribute("min", 11)
    assert clip.kinds["min"] is AttrKind.FLOAT
    assert softmax.default("axis", 11) == 1
    assert softmax.default("axis", 13) == -1
    assert clip.takes(0, DType.FLOAT16, 11)
    assert not clip.takes(0, DType.INT32, 11)
    assert clip.takes(1, DType.INT32, 12)
    assert not clip.takes(1, DType.FLOAT, 6)
    concat = schema("Concat")
    assert concat is not None
    assert concat.takes(7, DType.FLOAT, 13)
