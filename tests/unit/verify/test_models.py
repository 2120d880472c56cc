"""Verification on real models."""

from __future__ import annotations

from pathlib import Path

import pytest

from gopt.verify import Verifier


@pytest.mark.slow
@pytest.mark.models
def test_a_real_model_agrees_with_itself(model_path: Path) -> None:
    with Verifier.start(model_path) as verifier:
        assert verifier.check(model_path, exact=True).summary().startswith("verified: equal")
