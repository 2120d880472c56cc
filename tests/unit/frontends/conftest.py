"""Models and comparisons that the tests of the frontends share."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir import Model
from gopt.ir.check import check

RoundTrip = Callable[[onnx.ModelProto], Model]


def canonical(data: bytes) -> bytes:
    """A model in the one form that equal messages have in common."""
    return onnx.ModelProto.FromString(data).SerializeToString(deterministic=True)


@pytest.fixture
def round_trip() -> RoundTrip:
    """Loads a model, asserts that it comes back equal, field by field and byte by byte, and returns it."""

    def run(proto: onnx.ModelProto) -> Model:
        data = proto.SerializeToString()
        model = load(data)
        check(model)
        written = to_bytes(model)
        assert canonical(written) == canonical(data)
        assert written == data
        return model

    return run
