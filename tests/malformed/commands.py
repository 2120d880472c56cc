"""The commands that a case goes through, and what each of them may leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .case import Case

VERIFY = ["--verify-timeout", "5", "--mem-limit", "500MB"]


@dataclass(frozen=True)
class Command:
    """One command line.

    Attributes:
        name: what it is counted as.
        argv: its words.
        leaves: files or folders in the model's folder that it may make; only where it succeeds, unless `always`.
        always: it writes what it found out, whatever that is.
        findings: exit statuses with which it reports instead of failing.
        verifies: it runs the model, which takes its time.
    """

    name: str
    argv: tuple[str, ...]
    leaves: tuple[str, ...] = ()
    always: bool = False
    findings: frozenset[int] = frozenset({0})
    verifies: bool = False


OUT = ("out.onnx", "out.onnx.data", "out.onnx.1.data")
MODEL, RESULT, ALONE = "m.onnx", ("-o", "out.onnx"), "--no-verify"


def main(case: Case) -> list[Command]:
    """Those that every case goes through."""
    verify = VERIFY if case.verify else [ALONE]
    found = frozenset({0, 5})
    return [
        Command("run", ("run", MODEL, *RESULT, *verify), OUT, verifies=case.verify),
        Command("inspect", ("inspect", MODEL)),
        Command("check", ("check", MODEL, "--target", "tensorrt", "--level", "static"), findings=found),
    ]


OTHERS = [
    Command("explain", ("explain", MODEL)),
    Command("inspect --text", ("inspect", MODEL, "--text")),
    Command("opset", ("opset", MODEL)),
    Command("extract", ("extract", MODEL, *RESULT, ALONE), OUT),
    Command("expose", ("expose", MODEL, "--all", *RESULT, ALONE), OUT),
    Command("split", ("split", MODEL, "-o", "stages", "--stages", "2", ALONE), ("stages",)),
    Command("set-batch", ("set-batch", MODEL, "--batch", "2", *RESULT, ALONE), OUT),
    Command("compare", ("compare", MODEL, MODEL, "--no-run"), findings=frozenset({0, 4})),
    Command("reduce", ("reduce", MODEL, "--target", "tensorrt", "--level", "static", *RESULT), OUT),
    Command("check rknn", ("check", MODEL, "--target", "rknn", "--platform", "rk3588", "--level", "static", "--json")),
    Command("dump", ("dump", MODEL, "-o", "v.npz", "--all", "--timeout", "5", "--memory", "100MB"), ("v.npz",)),
    Command("bisect", ("bisect", MODEL, *VERIFY), findings=frozenset({0, 4}), verifies=True),
    Command("batch", ("batch", "--models", "list.txt", "-o", "all", "--timeout", "60", ALONE), ("all",), always=True),
]
"""Those that it goes through in turn, or all."""


def commands(case: Case, every: bool = False) -> Iterator[Command]:
    """What is run on a case: the main ones, and of the others one, which its name decides, or all."""
    if case.argv:
        always = case.argv[0] == "batch"
        findings = frozenset({0, 3}) if case.argv[0] == "source" else frozenset({0})
        yield Command(case.argv[0], case.argv, case.leaves, always, findings)
        return
    yield from main(case)
    if every:
        yield from OTHERS
    else:
        yield OTHERS[sum(case.name.encode()) % len(OTHERS)]
