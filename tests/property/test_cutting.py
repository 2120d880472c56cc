"""Whatever the graph: its stages in order equal the whole, and so do its exposed values and any part of it."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gopt import analysis
from gopt.errors import UsageError
from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.passes.cut.expose import Expose
from gopt.passes.cut.extract import Extract
from gopt.passes.cut.stages import Stage, stages_at, stages_balanced
from gopt.testing.check import run
from tests.property.graphs import models

EXAMPLES = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
FEED = {"x": np.random.default_rng(0).uniform(0.3, 2.0, (2, 4, 3, 3)).astype(np.float32)}


def computed(data: bytes, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    values = run(data, feed)
    assert values is not None, "it does not run"
    return values


def planned(model: onnx.ModelProto, draw: st.DataObject) -> list[Stage]:
    """Some stages: a number of them, or after values drawn at random; none where the model is too small."""
    whole = load(model)
    analysis.infer(whole)
    needed = sum(stage.ops for stage in stages_balanced(whole, 2)) if len(whole.graph) > 1 else 0
    if needed < 2:
        return []
    if draw.draw(st.booleans()):
        return stages_balanced(whole, draw.draw(st.integers(2, min(4, needed))))
    names = draw.draw(st.lists(st.sampled_from([op.result.name for op in whole.graph.ops]), min_size=1, max_size=3))
    return stages_at(whole, [names])


@EXAMPLES
@given(model=models(), draw=st.data())
def test_stages_in_order_equal_the_whole(model: onnx.ModelProto, draw: st.DataObject) -> None:
    try:
        stages = planned(model, draw)
    except UsageError:  # too few ops, or nothing is left after the cut
        return
    values = dict(FEED)
    for stage in stages:
        part = load(model)
        run_pipeline(part, [Extract(stage.inputs, stage.outputs)])
        check(part)
        data = to_bytes(part)
        onnx.checker.check_model(data)
        values.update(computed(data, {name: values[name] for name in stage.inputs}))
    for name, expected in computed(model.SerializeToString(), FEED).items() if stages else ():
        np.testing.assert_array_equal(values[name], expected)


@EXAMPLES
@given(model=models())
def test_exposing_all_changes_no_number(model: onnx.ModelProto) -> None:
    whole = load(model)
    run_pipeline(whole, [Expose(all=True)])
    check(whole)
    exposed = computed(to_bytes(whole), FEED)
    before = computed(model.SerializeToString(), FEED)
    assert list(exposed)[: len(before)] == list(before)
    for name, expected in before.items():
        np.testing.assert_array_equal(exposed[name], expected)
    for value in whole.graph.outputs:
        shape = getattr(value.type, "shape", None)
        if shape is not None and value.name in exposed and not isinstance(exposed[value.name], list):
            got = exposed[value.name].shape
            assert len(got) == len(shape)
            assert all(not isinstance(want, int) or want == size for want, size in zip(shape, got)), value.name
