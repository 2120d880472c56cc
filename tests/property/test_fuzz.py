"""A short run of the fuzzer, the same each time, and the models that it once found something on."""

from __future__ import annotations

from pathlib import Path

import pytest

from gopt.testing.fuzz import Oracle
from gopt.testing.fuzz.corpus import read
from gopt.testing.fuzz.session import fuzz

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 600, 10))
def test_random_models_keep_their_numbers(first: int) -> None:
    found: list[str] = []
    tally = fuzz(range(first, first + 10), tell=found.append)
    assert tally.drawn == 10
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.onnxtxt")), ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    kept = read(path)
    oracle = Oracle.of(kept.case)
    assert oracle is not None, "the model does not run"
    assert oracle.settled() is None
    for pipeline, exact in {(kept.pipeline, kept.exact): None, ("@default", False): None}:
        assert oracle.look(pipeline, exact, again=True) is None
