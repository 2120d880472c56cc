"""A saved model and its external data take their place at once or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.api.output import Workshop
from gopt.errors import UsageError
from gopt.frontends.onnx import load, save
from gopt.frontends.onnx.placing import lock, sweep
from gopt.ir import Model

SIZE = 20_000  # more than a page of what tensors are aligned by
HEX = "0123abcd"


def source(folder: Path, value: float, weights: int = 2, data: str = "") -> Path:
    """A model all of whose weights are one number, in a file beside it."""
    folder.mkdir(exist_ok=True)
    arrays = [numpy_helper.from_array(np.full(SIZE + k, value, np.float32), f"w{k}") for k in range(weights)]
    outputs = [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.dims) for t in arrays]
    proto = helper.make_model(helper.make_graph([], "g", [], outputs, arrays), ir_version=10)
    path = folder / "source.onnx"
    onnx.save(proto, path, save_as_external_data=True, location=data or "source.data", size_threshold=0)
    return path


def value_of(path: Path) -> float:
    """The number in a whole model."""
    tensors = [value.tensor for value in load(path).graph.constants]
    (number,) = {float(n) for t in tensors if t is not None for n in np.unique(t.numpy())}
    return number


@contextmanager
def told(before: Callable[[], None], after: Callable[[], None] | None = None) -> Iterator[None]:
    """Call something before and after each rename."""
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        with pytest.MonkeyPatch.context() as off:
            off.setattr(Path, "replace", replace)
            before()
        made = replace(self, target)
        if after is not None:
            after()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", watched)
        yield


def states(model: Model, target: Path) -> list[Path]:
    """Save a model; gives copies of the folder as it was at each moment in between, and in the end."""
    copies: list[Path] = []

    def copy() -> None:
        copies.append(target.parent.with_name(f"copy{len(copies)}"))
        shutil.copytree(target.parent, copies[-1], symlinks=True)

    with told(copy):
        save(model, target)
    copy()
    return [folder / target.name for folder in copies]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Model, Path]:
    """A model full of 2s, and the place of its result, where one full of 1s is."""
    target = tmp_path / "out" / "o.onnx"
    target.parent.mkdir()
    save(load(source(tmp_path / "old", 1)), target)
    return load(source(tmp_path / "new", 2, weights=3)), target


def files(target: Path) -> list[str]:
    return sorted(p.name for p in target.parent.iterdir())


def test_the_data_have_the_same_name_again(both: tuple[Model, Path]) -> None:
    model, target = both
    save(model, target)
    assert value_of(target) == 2
    assert files(target) == ["o.onnx", "o.onnx.data"]
    first = target.read_bytes()
    save(model, target)
    assert target.read_bytes() == first
    assert len(onnx.load(target).graph.initializer) == 3
    assert target.with_name("o.onnx.data").stat().st_size < 4 * 3 * SIZE + 3 * 4096, "nothing but the weights"


def test_what_is_there_is_whole_at_each_moment(both: tuple[Model, Path], tmp_path: Path) -> None:
    model, target = both
    found = []
    for path in states(model, target):  # as who kills the process finds it
        found.append(value_of(path))
        save(load(path), tmp_path / "again.onnx")
        assert value_of(tmp_path / "again.onnx") == found[-1]
    assert found == [1, 2, 2, 2, 2], "the model is exchanged first, while its data have another name"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("moment", range(4))
@pytest.mark.parametrize("there", [False, True])
def test_an_interrupt_between_two_renames(both: tuple[Model, Path], moment: int, late: bool, there: bool) -> None:
    model, target = both
    if not there:
        for name in files(target):
            target.with_name(name).unlink()
    left = [moment]

    def interrupt() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise KeyboardInterrupt

    try:
        with told(*((lambda: None, interrupt) if late else (interrupt,))):
            save(model, target)
    except KeyboardInterrupt:
        assert left[0] < 0
    assert files(target) in ([], ["o.onnx", "o.onnx.data"])
    if files(target):
        value = value_of(target)
        assert value == 2 or (there and value == 1)
        assert not target.with_name("o.onnx.data").is_symlink()


def test_data_of_others_are_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "o.onnx"
    other = tmp_path / "o.onnx.data"
    other.write_bytes(b"of somebody else")
    save(load(source(tmp_path / "new", 2)), target)
    assert other.read_bytes() == b"of somebody else"
    assert value_of(target) == 2
    assert files(target) == ["new", "o.onnx", "o.onnx.1.data", "o.onnx.data"]
    save(load(source(tmp_path / "new", 3)), target)
    assert value_of(target) == 3
    assert files(target) == ["new", "o.onnx", "o.onnx.1.data", "o.onnx.data"]


def test_data_that_no_model_has_any_more_go(both: tuple[Model, Path]) -> None:
    _, target = both
    plain = helper.make_model(helper.make_graph([], "g", [], []), ir_version=10)
    save(load(plain), target)
    assert files(target) == ["o.onnx"]


def test_data_that_the_model_read_stay_although_the_result_has_none(tmp_path: Path) -> None:
    target = tmp_path / "o.onnx"
    save(load(source(tmp_path / "from", 1)), target)
    shutil.copy(target, tmp_path / "copy.onnx")  # has its data in o.onnx.data, too
    model = load(tmp_path / "copy.onnx")
    while model.graph.outputs:
        model.graph.remove_output(0)
    for value in model.graph.constants:
        model.graph.drop(value)
    save(model, target)
    assert value_of(tmp_path / "copy.onnx") == 1


def test_a_model_is_not_written_over_its_data(tmp_path: Path) -> None:
    path = source(tmp_path, 1)
    before = (tmp_path / "source.data").read_bytes()
    with pytest.raises(UsageError, match="has its data"):
        save(load(path), tmp_path / "source.data")
    with Workshop(tmp_path / "source.data") as shop:
        model = load(path)
        shop.write(model)
        with pytest.raises(UsageError, match="has its data"):
            shop.publish(model)
    assert (tmp_path / "source.data").read_bytes() == before
    assert files(path) == ["source.data", "source.onnx"]


@pytest.mark.parametrize("call", range(12))
@pytest.mark.parametrize("shop", [False, True])
def test_a_full_disk_leaves_what_was_there(
    both: tuple[Model, Path], call: int, shop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, target = both
    left = [call]

    def full(function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("sendfile", "pread", "fsync", "rename", "replace", "symlink"):
            patch.setattr(os, name, full(getattr(os, name)))
        with suppress(OSError):
            if shop:
                with Workshop(target) as made:
                    made.write(model)
                    made.publish(model)
            else:
                save(model, target)
            assert value_of(target) == 2, "a copy by other means, or a file system without links"
    assert files(target) == ["o.onnx", "o.onnx.data"]
    assert value_of(target) in (1, 2)


# -- what killed runs leave -----------------------------------------------------------------------------------------


def aged(path: Path) -> Path:
    path.write_bytes(b"left")
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    names = [f".o.onnx.{HEX}", f".o.onnx.{HEX}.data", f".o.onnx.{HEX}.onnx", f".o.onnx.{HEX}.onnx.data"]
    names += [f"..o.onnx.{HEX}.onnx.{HEX}", f"..o.onnx.{HEX}.onnx.{HEX}.data"]
    others = [f".o.onnx.{HEX}0", ".o.onnx.data", ".o.onnx.swp", f"o.onnx.{HEX}", f".oxonnx.{HEX}", "o.onnx.data"]
    for name in names + others:
        aged(tmp_path / name)
    held = aged(tmp_path / f".o.onnx.{HEX[::-1]}")
    (tmp_path / f".o.onnx.{HEX[:4] * 2}").write_bytes(b"new")
    with held.open("rb") as file:
        assert lock(file.fileno())
        with Workshop(tmp_path / "o.onnx"):
            pass
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*others, held.name, f".o.onnx.{HEX[:4] * 2}"])


def test_data_that_the_model_there_needs_are_not_swept_away(both: tuple[Model, Path]) -> None:
    def swept(path: Path) -> None:
        for left in path.parent.glob(".*"):
            os.utime(left, (time.time() - 60,) * 2, follow_symlinks=False)
        sweep(path)

    model, target = both
    for path in states(model, target):
        before = value_of(path)
        swept(path)
        assert value_of(path) == before
        save(model, path)
        swept(path)
        assert value_of(path) == 2
        assert not list(path.parent.glob(".*"))
