"""A toolkit that says what the real one said, and dies as it died: what it does stands in the name of the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gopt.backends.rknn.environment import Environment

LOG = Path(__file__).with_name("toolkit.log")

_TOOLKIT = """
import os, sys, signal, time
import numpy
import torch


@torch.no_grad()
def at_import_time():
    return 1


assert at_import_time() == 1


class RKNN:
    def __init__(self, verbose=False):
        self._disabled = ()

    def config(self, **given):
        print("I config", sorted(given))
        self._disabled = given.get("disable_rules", ())

    def load_onnx(self, model, **given):
        self._model = os.path.basename(model)
        return -1 if "unreadable" in self._model else 0

    def build(self, **given):
        print(open(%(log)r, encoding="utf-8").read())
        if "segfault" in self._model:
            print("D  fuse_ops: node = ['Conv_7']")
            print("E RKNN: [10:00:00.000] Op name: 'Conv_7' failed")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in self._model:
            time.sleep(600)
        if "rule" in self._model and "bad_rule" not in self._disabled:
            print("W You can add disable_rules=['bad_rule'] in rknn.config() to temporarily disable the error rule!")
            raise ValueError("Traceback (most recent call last):\\n  File x\\nIndexError: list index out of range\\n")
        if "counts" in self._model:
            import torch
            first, second = torch.split(torch.arange(6).reshape([2, 3]), [1, 2], dim=1)
            print("counted", torch.cat([first, second], dim=1).reshape(-1).numpy().tolist(), second.tolist())
            print("counted", [part.tolist() for part in torch.split(torch.arange(1, 6), 2)])
        if "learns" in self._model:
            import torch
            torch.linspace(0, 1, 5)
        if "exit" in self._model:
            sys.exit(3)
        return 0

    def export_rknn(self, path):
        with open(path, "wb") as file:
            file.write(b"RKNN" + self._model.encode())
        return 0

    def init_runtime(self):
        return 0

    def inference(self, inputs, data_format=None):
        return [numpy.maximum(numpy.asarray(inputs[0], numpy.float32), 0)]
"""


def environment(folder: Path) -> Environment:
    """An environment with that toolkit, run by the Python of the tests."""
    package = folder / "fake" / "rknn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    # What setup with --torch cpu would install; with none, the worker must not come to import it.
    (folder / "fake" / "torch.py").write_text("def no_grad():\n    return lambda function: function\n")
    (package / "api.py").write_text(_TOOLKIT % {"log": str(LOG)})
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder / "fake"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    info = {"toolkit": "2.5.0", "torch": "none"}
    (folder / "gopt-rknn.json").write_text(json.dumps(info))
    return Environment(folder, info)
