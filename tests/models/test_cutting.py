"""Real models in stages: run one after the other they give what the whole gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from gopt.api.cutting import split
from gopt.api.dumping import dump
from gopt.errors import UsageError
from gopt.frontends.onnx import load

pytestmark = [pytest.mark.models, pytest.mark.slow]


def test_stages_in_order_equal_the_whole(model_path: Path, tmp_path: Path) -> None:
    try:
        result = split(model_path, tmp_path / "stages", stages=3)
    except UsageError as error:
        pytest.skip(str(error))
    notes = {stage.file: stage.verification.summary() for stage in result.stages if stage.verification is not None}
    assert all(stage.verification is not None and stage.verification.ok for stage in result.stages), notes

    # The same without our own comparing: all inputs and outputs of one run, and the stages by their manifest.
    whole = load(model_path)
    feed = {v.name: _zeros(v) for v in whole.graph.inputs if v.tensor is None}
    try:
        expected = _run(model_path, feed)
    except Exception as error:
        pytest.skip(f"it does not run on zeros: {error}")
    values = dict(feed)
    for stage in json.loads((tmp_path / "stages" / "stages.json").read_text())["stages"]:
        values.update(_run(tmp_path / "stages" / stage["file"], {name: values[name] for name in stage["inputs"]}))
    for name, value in expected.items():
        np.testing.assert_array_equal(values[name], value)


def test_outputs_are_dumped(model_path: Path, tmp_path: Path) -> None:
    done = dump(model_path, tmp_path / "values.npz")
    assert not done.left_out
    with np.load(tmp_path / "values.npz") as found:
        assert found.files == [value.member for value in done.values]


def _zeros(value: Any) -> Any:
    declared = value.declared.type
    return np.zeros([d if isinstance(d, int) else 1 for d in declared.shape or ()], declared.dtype.numpy)


def _run(path: Path, feed: dict[str, Any]) -> dict[str, Any]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_prepacking", "1")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed)))
