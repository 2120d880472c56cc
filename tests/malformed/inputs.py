"""Other files than models: data for inputs, sources of a conversion, lists of models."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from .case import Case, model_of, node

_MODEL = model_of([node("Relu", "x", "y")]).SerializeToString()
_MAGIC = b"\x93NUMPY\x01\x00"


class _Mark:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (open, ("pwned", "w"))


def _npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return _MAGIC + struct.pack("<H", len(text) & 0xFFFF) + text + data


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _objects() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([_Mark()], object), allow_pickle=True)
    return out.getvalue()


@cache
def arrays() -> dict[str, bytes]:
    """Files that are no arrays, or hardly."""
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    return {
        "nothing": b"",
        "a pickle": pickle.dumps(_Mark()),
        "pickled objects": _objects(),
        "a zip of pickles": _zip(**{"x.npy": _objects()}),
        "a zip of 256 MB": _zip(**{"x.npy": bytes(1 << 28)}),
        "half a zip": _zip(**{"x.npy": b"x"})[:20],
        "magic alone": _MAGIC,
        "a header of nonsense": _npy("nonsense"),
        "a header that computes": _npy(head % "(2,)" + " if 1 else __import__('os').system('touch pwned')"),
        "a deep header": _npy("(" * 9000),
        "a deep sum": _npy("-" * 9000 + "1"),
        "a dict of lists": _npy("{'descr': [" + "[" * 900 + "]" * 900 + "], 'fortran_order': 0, 'shape': ()}"),
        "2^62 numbers": _npy(head % "(4611686018427387904,)"),
        "2^80 numbers": _npy(head % f"({2**80},)"),
        "a negative size": _npy(head % "(-2,)", bytes(8)),
        "a size that is a text": _npy(head % "('a',)", bytes(8)),
        "too few bytes": _npy(head % "(2,)", bytes(7)),
        "a type that nobody knows": _npy("{'descr': '<q9', 'fortran_order': False, 'shape': (2,), }", bytes(18)),
        "a type with a title": _npy(
            "{'descr': [(('\\x1b[2J', 'a'), '<f4')], 'fortran_order': False, 'shape': (2,), }", bytes(8)
        ),
        "voids": _npy("{'descr': '|V7', 'fortran_order': False, 'shape': (2,), }", bytes(14)),
        "a version of 9": b"\x93NUMPY\x09\x00" + bytes(100),
        "strings": _npy("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", b"\xff" * 16),
    }


def sources() -> dict[str, bytes]:
    """Descriptions of a conversion that are none."""
    lists = "\n".join([f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9 if k else ['lol'] * 9)}]" for k in range(12)])
    maps = "\n".join(
        [f"b{k}: &b{k} {{<<: [{', '.join([f'*b{k - 1}'] * 9)}]}}" if k else "b0: &b0 {x: 1}" for k in range(9)]
    )
    texts = {
        "nothing": "",
        "a list": "[1, 2]",
        "a text": "hello",
        "a billion laughs": lists + "\ninputs: *a11\nnames: *a11",
        "a billion merges": maps + "\ninputs: [*b8]",
        "itself": "&a [*a]",
        "inputs that hold themselves": "kind: onnx_source\ninputs: &a [*a]",
        "code": "!!python/object/apply:os.system ['touch pwned']",
        "code of a name": "kind: !!python/name:os.system",
        "a module": "!!python/module:pwned",
        "a tag": "!evil [1]",
        "depth": "[" * 5000,
        "depth by lines": "\n".join(" " * k + "a:" for k in range(1500)),
        "a number of 10,000 digits": "kind: " + "9" * 10_000,
        "a number to the base of 60": "kind: " + ":".join(["59"] * 5000),
        "a day that is none": "kind: 2001-99-99",
        "a time that is none": "kind: 2001-12-14T99:99:99Z",
        "binary that is none": "kind: !!binary '%%%'",
        "a set of lists": "? [a]\n: b",
        "a key twice": "kind: onnx_source\nkind: rknn_source",
        "control characters": "kind: '\\e[2J\\e]0;x\\a'\n\"\\e[2J\": 1",
        "a tab": "\tkind: 1",
        "numbers": "kind: onnx_source\ninputs: [{width: .inf, height: .nan, mean: [1e999]}]",
        "paths": "kind: onnx_source\nonnx: {path: ../outside/secret.bin, sha256: x}",
        "the path of a device": "kind: onnx_source\nonnx: {path: /dev/zero}",
        "two megabytes": "a: " + "b" * 2_000_000,
        "many documents": "---\na: 1\n" * 1000,
    }
    made = {name: text.encode() for name, text in texts.items()}
    return made | {"no UTF-8": b"kind: \xff\xfe", "zeros": bytes(1000), "UTF-16": "kind: x".encode("utf-16")}


def lists() -> dict[str, bytes]:
    """Lists of models that name none, or too much."""
    return {
        "nothing": b"",
        "remarks": b"# nothing\n\n",
        "a quote": b"m.onnx 'open\n",
        "no UTF-8": b"\xff\xfe\x00",
        "control characters": b"\x1b[2J.onnx --passes \x1b]0;x\x07\n",
        "options that are none": b"m.onnx --nonsense\nm.onnx --help\nm.onnx --output ../outside/x\n",
        "a name that leads away": b"../outside/secret.bin\n/etc/hostname\n..\n.\n",
    }


def _file(name: str, content: bytes) -> Callable[[Path], None]:
    def setup(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return setup


def cases() -> Iterator[Case]:
    """All of them."""
    run = ("run", "m.onnx", "-o", "out.onnx", "--verify-timeout", "5")
    for name, content in arrays().items():
        for suffix in (".npy", ".npz"):
            given = (*run, "--inputs", f"x=x{suffix}")
            yield Case(
                "files", f"{name} as {suffix}", _MODEL, _file(f"x{suffix}", content), argv=given, leaves=("out.onnx",)
            )
        frozen = (*run[:4], "--no-verify", "--freeze", "x=@x.npy")
        yield Case("files", f"{name} frozen", _MODEL, _file("x.npy", content), argv=frozen, leaves=("out.onnx",))
    for name, content in sources().items():
        yield Case("files", f"source: {name}", _MODEL, _file("s.yaml", content), argv=("source", "check", "s.yaml"))
        made = (
            "check",
            "m.onnx",
            "--target",
            "rknn",
            "--platform",
            "rk3588",
            "--level",
            "static",
            "--source",
            "s.yaml",
        )
        yield Case("files", f"source of a check: {name}", _MODEL, _file("s.yaml", content), argv=made)
    for name, content in lists().items():
        listed = ("batch", "--models", "l.txt", "-o", "all", "--no-verify")
        yield Case("files", f"list: {name}", _MODEL, _file("l.txt", content), argv=listed, leaves=("all",))
