"""ONNX's backend cases that pass plain pass after every pipeline: here a share, `python -m tests.conformance` all."""

from __future__ import annotations

import pytest

from gopt.testing.backend_cases import BackendCase, backend_cases

from .suite import examine

# Cases that bring the native runtime down even before gopt has touched them would end the whole test process.
CRASHES_PLAIN: frozenset[str] = frozenset()


@pytest.mark.conformance
@pytest.mark.parametrize("case", [c for c in backend_cases() if c.name not in CRASHES_PLAIN], ids=lambda c: c.name)
def test_case(case: BackendCase) -> None:
    assert not examine(case).failures
