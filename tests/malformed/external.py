"""External data that lead somewhere else, or are not what they are said to be; the onnx package's CVEs by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from onnx import TensorProto

from .case import Case, model_of, node

Setup = Callable[[Path], None]


def model(entries: dict[str, str] | list[tuple[str, str]], dims: tuple[int, ...] = (2,), kind: int = 1) -> bytes:
    """A model with one weight whose data lie where the entries say."""
    tensor = TensorProto(name="w", data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items() if isinstance(entries, dict) else entries:
        tensor.external_data.add(key=key, value=value)
    data: bytes = model_of([node("Add", "x w", "y")], weights=[tensor]).SerializeToString()
    return data


def data(folder: Path) -> None:
    """The weight's bytes, where they ought to be."""
    (folder / "w.data").write_bytes(np.array([1, 2], np.float32).tobytes())


def link(name: str, target: str) -> Setup:
    def setup(folder: Path) -> None:
        data(folder)
        (folder / name).symlink_to(target)

    return setup


def hard_link(folder: Path) -> None:
    os.link(folder.parent / "outside" / "secret.bin", folder / "hard.data")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "fifo.data")


def subfolder(folder: Path) -> None:
    (folder / "sub.data").mkdir()


def locations(cve: str, *names: str, setup: Setup | None = data) -> Iterator[Case]:
    """A case for each of several locations that must be refused."""
    for name in names:
        entries = {"location": name, "offset": "0", "length": "8"}
        yield Case("external", f"{cve}: {name!r}", model(entries), setup, refused=True)


def cases() -> Iterator[Case]:
    """All of them."""
    good = {"location": "w.data", "offset": "0", "length": "8"}
    yield Case("external", "as it should be", model(good), data, accepted=True)
    yield from locations("CVE-2022-25882", "../outside/secret.bin", "sub/../../outside/secret.bin", "..")
    yield from locations(
        "CVE-2024-27318", "./../outside/secret.bin", "x/../../outside/secret.bin", "..\\outside\\secret.bin"
    )
    yield from locations(
        "absolute",
        "/etc/hostname",
        "//etc/hostname",
        "C:\\w.data",
        "C:w.data",
        "\\\\host\\share\\w",
        "file:///etc/hostname",
    )
    yield from locations(
        "odd",
        "",
        ".",
        "/",
        "w.data/",
        "w.data/.",
        "nowhere.data",
        "w\0.data",
        "\x1b[2J",
        "a" * 5000,
        "~/w.data",
        "%2e%2e/outside/secret.bin",
        "\udcff".encode("utf-8", "replace").decode(),
    )
    yield from locations(
        "CVE-2025-51480 (a link that is written through)",
        "out.onnx.data",
        setup=link("out.onnx.data", "../outside/secret.bin"),
    )
    yield from locations("CVE-2026-27489 (link)", "link.data", setup=link("link.data", "../outside/secret.bin"))
    yield from locations("CVE-2026-34447 (link to a folder)", "up/secret.bin", setup=link("up", "../outside"))
    yield from locations("CVE-2026-34446 (hard link)", "hard.data", setup=hard_link)
    yield from locations("link to itself", "loop.data", setup=link("loop.data", "loop.data"))
    yield from locations("link to a device", "zero.data", setup=link("zero.data", "/dev/zero"))
    yield from locations("link to memory", "mem.data", setup=link("mem.data", "/proc/self/mem"))
    yield from locations("device", "/dev/zero", "/dev/stdin")
    yield from locations("FIFO", "fifo.data", setup=fifo)
    yield from locations("folder", "sub.data", setup=subfolder)
    inside = model({"location": "in.data", "offset": "0", "length": "8"})
    yield Case("external", "a link that stays inside", inside, link("in.data", "w.data"), accepted=True)
    yield from _keys(good)
    yield from _numbers(good)


def _keys(good: dict[str, str]) -> Iterator[Case]:
    keys = (
        "__class__",
        "__dict__",
        "basepath",
        "Location",
        "location ",
        "",
        "\0",
        "offset\n",
        "name",
        "raw_data",
        "x" * 70_000,
    )
    for key in keys:
        yield Case("external", f"CVE-2026-34445: key {key[:20]!r}", model(good | {key: "1"}), data, refused=True)
    twice = [*good.items(), ("location", "../outside/secret.bin")]
    yield Case("external", "CVE-2026-34445: location twice", model(twice), data, refused=True)
    yield Case("external", "no entries", model({}), data, refused=True)


def _numbers(good: dict[str, str]) -> Iterator[Case]:
    numbers = (
        "-1",
        "1",
        "8",
        "9",
        "1e3",
        " 0",
        "0x0",
        "",
        "9" * 19,
        "9" * 5000,
        str(2**63),
        str(2**64),
        "\u0664",
        "0.0",
        "nan",
    )
    for key in ("offset", "length"):
        for number in numbers:
            if (key, number) != ("length", "8"):
                data_ = model(good | {key: number})
                yield Case("external", f"CVE-2026-34445: {key} {number[:20]!r}", data_, data, refused=True)
    for dims in ((3,), (2**31, 2**31), (2**62, 4), (-2,), (2**63 - 1,)):
        yield Case("external", f"dims {dims}", model(good, dims), data, refused=True)
    for kind in (0, 8, 99, -1):
        yield Case("external", f"type {kind}", model(good, kind=kind), data, refused=True)
