"""Models for the tests of verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

HEAD = '<ir_version: 8, opset_import: ["": 18]>'


@pytest.fixture
def save(tmp_path: Path) -> Any:
    """Writes a model (text or proto) and returns its path."""

    def write(source: Any, name: str = "model.onnx") -> Path:
        proto = onnx.parser.parse_model(f"{HEAD} {source}") if isinstance(source, str) else source
        onnx.save(proto, tmp_path / name)
        return tmp_path / name

    return write
