"""ONNX's backend cases at other opsets: here a share, `python -m tests.conformance.opsets` all."""

from __future__ import annotations

import pytest

from gopt.testing.backend_cases import BackendCase, backend_cases

from .opsets import examine
from .test_conformance import CRASHES_PLAIN


@pytest.mark.conformance
@pytest.mark.parametrize("case", [c for c in backend_cases() if c.name not in CRASHES_PLAIN], ids=lambda c: c.name)
def test_case(case: BackendCase) -> None:
    assert not {t: why for t, why in examine(case).by_opset.items() if why.startswith("FAILED")}
