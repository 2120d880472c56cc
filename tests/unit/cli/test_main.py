"""What becomes of exceptions, and of text that a terminal or a JSON parser could choke on."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import click
import pytest

from gopt import cli as package
from gopt.cli import explained, main, root
from gopt.cli.options import Assignment, Bytes, InputShape
from gopt.cli.text import change, columns, one_line, plain, printable, safe, seconds, size
from gopt.errors import ModelError, UsageError, VerificationError

from .conftest import Cli


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelError("broken"), 3),
        (UsageError("what?"), 2),
        (VerificationError("differs"), 4),
        (click.UsageError("no such option"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (MemoryError(), 6),
        (RecursionError("maximum recursion depth exceeded"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "out.onnx"), 6),
        (PermissionError(errno.EACCES, "Permission denied", "out.onnx"), 3),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 3),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_each_exception_has_a_status_and_one_line(
    error: BaseException, status: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(root.cli, "main", fail)
    done = cli("passes")
    assert done.status == status
    assert done.err.startswith("gopt: error: ")
    assert done.err.count("\n") == 1


def test_a_message_is_one_line_unless_it_points_at_a_pipeline() -> None:
    assert explained(ModelError("a\nb"))[1] == "a b"
    assert explained(UsageError("a\n  ^"))[1] == "a\n  ^"
    assert "\x1b" not in explained(ModelError("name \x1b[2J"))[1]


def test_the_traceback_is_shown_on_demand(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPT_DEBUG", "1")
    done = cli("inspect", "missing.onnx")
    assert done.status == 3
    assert "Traceback" in done.err


def test_an_internal_error_says_how_to_see_more(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("oops")

    monkeypatch.setattr(root.cli, "main", fail)
    done = cli("passes")
    assert done.status == 1
    assert "internal error: AssertionError: oops" in done.err
    assert "GOPT_DEBUG=1" in done.err


def test_a_reader_that_leaves_ends_the_command_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(root.cli, "main", fail)
    monkeypatch.setattr(package.os, "dup2", lambda *_: None)
    assert main(["passes"]) == 1


def test_an_interrupted_run_writes_nothing(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gopt.api import output

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(output.frontend, "save", interrupt)
    assert cli("run", model, "--no-verify").status == 130
    assert [p.name for p in model.parent.iterdir()] == ["model.onnx"]


def test_text_that_a_stream_cannot_take_is_escaped() -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert safe("naïve \udcff", ascii_only) == "na\\xefve \\udcff"
    assert printable("a\nb\x1b") == "a\\nb\\x1b"
    assert one_line("a\nb", keep_lines=True) == "a\nb"


def test_json_has_no_numbers_that_json_lacks() -> None:
    assert json.loads(json.dumps(plain({"a": float("inf"), "b": (1.5, float("nan")), "c": Path("x")}))) == {
        "a": "inf",
        "b": [1.5, "nan"],
        "c": "x",
    }


def test_figures_for_people() -> None:
    assert (size(999), size(97_500_000), size(2_300_000_000)) == ("999 B", "97.5 MB", "2.3 GB")
    assert (seconds(0.0123), seconds(1.5)) == ("12.3 ms", "1.50 s")
    assert (change(4, 3), change(4, 4), change(0, 3)) == ("-25.0%", "", "new")
    assert columns([["a", "1"], ["bc", "20"]], right=[1]) == ["  a    1", "  bc  20"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("10MB", 10_000_000), ("1.5GiB", 3 << 29), ("4096", 4096), ("2k", 2000), ("0", 0), ("1 KiB", 1024)],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert Bytes().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.2.3", "10 parsecs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Bytes().convert(text, None, None)


def test_shapes_and_assignments_are_read() -> None:
    assert InputShape().convert("x:0:1,3,8,9", None, None) == {"x:0.0": 1, "x:0.1": 3, "x:0.2": 8, "x:0.3": 9}
    assert InputShape().convert("x=2x5", None, None) == {"x.0": 2, "x.1": 5}
    assert Assignment("size", int).convert("a.b=4", None, None) == ("a.b", 4)
    for wrong in ("x", "=4", "x=", "x=four"):
        with pytest.raises(click.BadParameter):
            Assignment("size", int).convert(wrong, None, None)
    with pytest.raises(click.BadParameter):
        InputShape().convert("1,3", None, None)


def test_a_size_given_twice_is_refused(cli: Cli, model: Path) -> None:
    done = cli("run", model, "--verify-dim", "n=2", "--verify-dim", "n=3")
    assert done.status == 2
    assert "twice" in done.err
