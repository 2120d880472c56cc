"""Arrays from files: what is read, and that the rest is one error and runs no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gopt.errors import UsageError
from gopt.frontends.arrays import read_array
from tests.malformed.inputs import arrays


@pytest.mark.parametrize("dtype", ["<f4", ">i8", "?", "<U3", "S2", "<c8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(np.arange(6).reshape(2, 3), dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "x.npy", array)
    found = read_array("x", tmp_path / "x.npy")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("shape", [(), (0,), (0, 2**40)])
def test_empty_ones_and_scalars(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    assert read_array("x", tmp_path / "x.npy").shape == shape


ACCEPTED = {"a type with a title", "voids", "strings"}


@pytest.mark.parametrize("case", sorted(arrays()))
def test_files_that_are_none(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.npy").write_bytes(arrays()[case])
    if case in ACCEPTED:
        assert read_array("x", "x.npy").shape == (2,)
    else:
        with pytest.raises(UsageError, match=r"^input 'x': x.npy is not a \.npy file that can be read") as caught:
            read_array("x", "x.npy")
        assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"], "no code ran"


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="can be read"):
            read_array("x", path)
