"""Helpers: change the batch size of a model given as text, and compare with single samples in ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import gopt
from gopt.frontends.onnx import to_proto
from gopt.frontends.text import parse
from gopt.ir import Model
from gopt.passes.shape._batch import Refusal

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'


def rebatched(text: str, options: str, head: str = HEAD) -> Model:
    """The model after `shape.batch`."""
    model = parse(head + text)
    gopt.run(model, f"shape.batch:{options}", verify=False)
    return model


def refused(text: str, options: str = "to=3", head: str = HEAD) -> str:
    """Why the batch size cannot be changed; the model must be as it was."""
    model = parse(head + text)
    before = to_proto(model).SerializeToString()
    with pytest.raises(Refusal) as caught:
        gopt.run(model, f"shape.batch:{options}", verify=False)
    assert to_proto(model).SerializeToString() == before
    return str(caught.value)


def session(model: Model) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(to_proto(model).SerializeToString(), options)


def same(text: str, options: str = "to=3", size: int = 3, was: int = 1, head: str = HEAD, **axes: int) -> Model:
    """The model with another batch size, after it was seen to give what the original gives for each sample.

    Args:
        text: the original, which takes `was` samples at once.
        options: of `shape.batch`.
        size: how many samples the result is given.
        was: how many the original takes.
        head: what stands before the text.
        axes: where the samples lie in inputs and outputs, if not along axis 0.
    """
    original, made = parse(head + text), rebatched(text, options, head)
    rng = np.random.default_rng(0)
    parts = [_feed(original, rng) for _ in range(-(-size // was))]
    given = {v.name for v in original.graph.inputs}
    whole: dict[str, Any] = {}
    for name in given:
        axis = axes.get(name, 0)
        if axis < 0:
            whole[name] = parts[0][name]
            for part in parts:
                part[name] = parts[0][name]
        else:
            whole[name] = np.take(np.concatenate([part[name] for part in parts], axis), range(size), axis)
    single, many = session(original), session(made)
    singles = [dict(zip([o.name for o in single.get_outputs()], single.run(None, part))) for part in parts]
    for name, found in zip([o.name for o in many.get_outputs()], many.run(None, whole)):
        axis = axes.get(name, 0)
        if axis < 0:
            assert found == pytest.approx(singles[0][name])
            continue
        wanted = np.concatenate([part[name] for part in singles], axis)
        np.testing.assert_allclose(found, np.take(wanted, range(found.shape[axis]), axis), rtol=1e-5, atol=1e-6)
        assert found.shape[axis] * was == singles[0][name].shape[axis] * size
    return made


def _feed(model: Model, rng: np.random.Generator) -> dict[str, Any]:
    made = {}
    for value in model.graph.inputs:
        assert value.declared is not None
        type_: Any = value.declared.type
        shape = [dim if isinstance(dim, int) else 4 for dim in type_.shape]
        if type_.dtype.is_float:
            made[value.name] = rng.standard_normal(shape).astype(type_.dtype.numpy)
        else:
            made[value.name] = rng.integers(0, 2, shape).astype(type_.dtype.numpy)
    return made
