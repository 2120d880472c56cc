"""Models of five families become engines by NVIDIA's own builder, and compute the same in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from gopt.api.targets import make
from gopt.backends.tensorrt.builder import module_for

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
FAMILIES = ("densenet121", "inception_v2", "resnet50", "shufflenet", "squeezenet")

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not module_for(""), reason="TensorRT is not installed: pip install 'gopt-onnx[tensorrt]'"),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_built(family: str, tmp_path: Path) -> None:
    made = make(LIGHT / f"light_{family}.onnx", "trt-rtx", output=tmp_path / "out", on_mismatch="abort")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])
    assert made.result.verification is not None
    assert made.result.verification.ok
    assert {f.name for f in made.files} >= {"profile.json", "build_engine.py", "trtexec.sh", "onnxruntime.json"}
