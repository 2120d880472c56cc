"""Which tests run: slow ones by share, those on real models or with a vendor's toolkit only where these exist."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

import onnx
import pytest

SLOW_MARKERS = ("slow", "conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow-share",
        type=float,
        default=None,
        metavar="SHARE",
        help="share (0 to 1) of the slow and conformance tests to run; 0 unless -m or a test id asks for them",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the golden cases give now into their files (one process: without -n)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("update_golden") and hasattr(config, "workerinput"):
        raise pytest.UsageError("--update-golden writes into files: run it in one process, without -n")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a parameter `model_path` runs once per real model."""
    if "model_path" in metafunc.fixturenames:
        paths = sorted(_models_dir().glob("*.onnx"))
        metafunc.parametrize("model_path", paths, ids=[path.stem for path in paths])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _skip_what_is_missing(item)
    share = _slow_share(config)
    left_out = [item for item in items if _is_slow(item) and _position(item) >= share]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = {id(item) for item in left_out}
        items[:] = [item for item in items if id(item) not in gone]


def _skip_what_is_missing(item: pytest.Item) -> None:
    for marker in item.iter_markers("toolkit"):
        if importlib.util.find_spec(marker.args[0].split(".")[0]) is None:
            item.add_marker(pytest.mark.skip(reason=f"{marker.args[0]} is not installed"))


def _slow_share(config: pytest.Config) -> float:
    share: float | None = config.getoption("slow_share")
    if share is not None:
        return share
    asked_for = any(name in config.option.markexpr for name in SLOW_MARKERS) or any("::" in arg for arg in config.args)
    return 1.0 if asked_for else 0.0


def _is_slow(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in SLOW_MARKERS)


def _position(item: pytest.Item) -> float:
    """A place in [0, 1) that depends on the test's id alone: the same share is the same tests, in every worker."""
    return int.from_bytes(hashlib.sha256(item.nodeid.encode()).digest()[:6]) / 2**48


def _models_dir() -> Path:
    given = os.environ.get("GOPT_MODELS")
    if not given:  # known architectures, without their weights, that the onnx package carries
        return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    folder = Path(given)
    if not folder.is_dir():
        raise pytest.UsageError(f"GOPT_MODELS is not a folder: {folder}")
    return folder


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of real models; for tests marked `models`."""
    return _models_dir()
