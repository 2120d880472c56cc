"""Verification end to end: real models in ONNX Runtime, and children that crash, hang or lie."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gopt.errors import GoptError, MissingComponentError, ModelError, UsageError, VerificationError
from gopt.verify import Limits, Status, Verification, Verifier, verify

AFFINE = "g (float[B,N] x) => (float[B,N] y) { two = Constant<value_float = 2.0>()  m = Mul(x, two)  y = Relu(m) }"


def compared(save: Any, original: Any, candidate: Any, **options: Any) -> Verification:
    return verify(save(original, "a.onnx"), save(candidate, "b.onnx"), **options)


def test_a_model_agrees_with_itself(save: Any) -> None:
    found = compared(save, AFFINE, AFFINE, exact=True)
    assert found.ok
    assert found.max_abs == 0
    assert found.runs == 2
    assert len(found.cases) == 2
    assert all(found.cases[0][d] != found.cases[1][d] for d in "BN")
    assert found.require() is found


def test_a_wrong_rewrite_is_caught(save: Any) -> None:
    found = compared(save, AFFINE, AFFINE.replace("2.0", "2.01"))
    assert found.status is Status.FAILED
    assert found.max_abs > 0
    assert "output 'y'" in found.reason
    with pytest.raises(VerificationError):
        found.require()


def test_what_cannot_be_run_is_unverified(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x07garbage")
    found = verify(tmp_path / "a.onnx", tmp_path / "a.onnx")
    assert found.status is Status.UNVERIFIED
    assert found.summary().startswith("not verified: the original cannot be read")
    assert found.require() is found


def test_given_inputs_and_dims(save: Any, tmp_path: Path) -> None:
    text = "g (float[B,N] x, float[N] w) => (float[B,N] y) { y = Mul(x, w) }"
    path = save(text)
    np.save(tmp_path / "w.npy", np.full(5, 3, np.float32))
    found = verify(path, path, inputs={"w": tmp_path / "w.npy"}, dims={"B": 7})
    assert found.ok
    assert {case["N"] for case in found.cases} == {5}
    assert {case["B"] for case in found.cases} == {7}
    whole = {"x": np.ones((2, 5), np.float32), "w": np.ones(5, np.float32)}
    assert verify(path, path, inputs=whole).runs == 1
    assert verify(path, path, dims={"x.0": 3, "w.0": 4}).cases == ({"B": 3, "N": 4},)


@pytest.mark.parametrize(
    "options",
    [
        {"inputs": {"q": np.ones(3, np.float32)}},
        {"inputs": {"x": np.ones((2, 2))}},
        {"dims": {"Q": 3}},
        {"dims": {"B": 0}},
        {"dims": {"B": 2, "x.0": 3}},
        {"inputs": {"x": np.ones((2, 2), np.float32)}, "dims": {"B": 3}},
        {"inputs": {"x": "missing.npy"}},
    ],
)
def test_given_values_that_do_not_fit(save: Any, options: Any) -> None:
    path = save(AFFINE)
    with pytest.raises(UsageError):
        verify(path, path, **options)


def test_pickles_are_not_loaded(save: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(UsageError, match=r"x\.npy"):
        verify(save(AFFINE), save(AFFINE), inputs={"x": tmp_path / "x.npy"})


def test_missing_files_and_components(save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(AFFINE)
    with pytest.raises(ModelError):
        verify("nowhere.onnx", path)
    with pytest.raises(ModelError):
        verify(path, "nowhere.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingComponentError, match="pip install onnxruntime"):
        Verifier.start(path)


def test_one_verifier_checks_many_candidates_and_leaves_no_files(save: Any) -> None:
    original = save(AFFINE, "a.onnx")
    with Verifier.start(original) as verifier:
        folder = verifier._child.folder
        assert folder.is_dir()
        assert verifier.check(original).ok
        assert not verifier.check(save(AFFINE.replace("2.0", "3.0"), "b.onnx")).ok
        assert verifier.check(original, exact=True).ok
    assert not folder.exists()
    assert not verifier._child.alive
    with pytest.raises(GoptError, match="closed"):
        verifier.check(original)


def test_out_of_memory_is_unverified(save: Any) -> None:
    text = """g (float[4] x) => (float[M] y) { s = Constant<value_ints = [400000000]>()
              z = ConstantOfShape(s)  f = ReduceSum(z)  y = Add(x, f) }"""
    found = compared(save, text, text, memory=1 << 30)
    assert found.status is Status.UNVERIFIED
    assert "alloc" in found.reason.lower() or "memory" in found.reason.lower()


def test_a_candidate_that_never_ends_fails(save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = """g (float[4] x) => (float[4] y) { n = Constant<value_int = 3>()  c = Constant<value_int = 1>()
              go = Cast<to = 9>(c)  y = Loop (n, go, x) <body = b (int64 i, bool cond, float[4] v) =>
              (bool cond2, float[4] w) { cond2 = Identity(cond)  w = Neg(v) }> }"""
    original, endless = save(loop, "a.onnx"), save(loop.replace("value_int = 3", "value_int = 4000000000000"), "b.onnx")
    with Verifier.start(original) as verifier:
        assert verifier.prepare().ok
        send = verifier._child.send
        monkeypatch.setattr(verifier._child, "send", lambda request: send(request | {"seconds": 0.5}))
        found = verifier.check(endless)
        assert found.status is Status.FAILED
        assert "longer than 0.5 s" in found.reason
        assert verifier.check(original).ok  # the same child goes on


# Children that misbehave: a script in place of the worker, which gets the same arguments and requests.

PREPARED = "{'event': 'answer', 'ok': True, 'cases': [{}], 'width': 0, 'run_seconds': 0.0, 'notes': []}"


def scripted(save: Any, tmp_path: Path, on_prepare: str, on_check: str, **limits: Any) -> Verifier:
    script = tmp_path / "fake.py"
    script.write_text(
        "import json, os, signal, sys, time\n"
        "say = lambda message: print(json.dumps(message), flush=True)\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        f"    if request['do'] == 'prepare':\n        {on_prepare}\n"
        f"    else:\n        {on_check}\n"
    )
    return Verifier(save(AFFINE), command=[sys.executable, str(script)], limits=Limits(**limits))


@pytest.mark.parametrize(
    ("act", "status", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", Status.FAILED, "segmentation fault"),
        ("sys.stderr.write('std::bad_alloc'); sys.stderr.flush(); os.abort()", Status.UNVERIFIED, "out of memory"),
        ("sys.exit(3)", Status.FAILED, "status 3"),
        ("time.sleep(600)", Status.FAILED, "hangs"),
        ("say({'event': 'answer', 'ok': False, 'kind': 'unverified', 'message': 'tired'})", Status.UNVERIFIED, "tired"),
    ],
)
def test_a_child_that_dies_of_a_candidate(
    save: Any, tmp_path: Path, act: str, status: Status, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gopt.verify.verifier._GRACE", 0.0)
    monkeypatch.setattr("gopt.verify.verifier._LEAST", 0.2)
    with scripted(save, tmp_path, f"say({PREPARED})", act, timeout=1) as verifier:
        first = verifier._child.folder
        for _ in range(1 if "sleep" in act else 2):  # the next child takes the next question
            found = verifier.check(verifier.path)
            assert (found.status, reason in found.reason) == (status, True), found.reason
    assert not first.exists()
    assert not verifier._child.folder.exists()


def test_sizes_that_crash_the_child_are_avoided(save: Any, tmp_path: Path) -> None:
    act = (
        "n = len(request['avoid']); say({'event': 'trying', 'dims': {'N': n}}); "
        f"n < 2 and os.kill(os.getpid(), signal.SIGSEGV); say({PREPARED})"
    )
    with scripted(save, tmp_path, act, "pass") as verifier:
        assert verifier.prepare().ok
        assert verifier._crashed == [{"N": 0}, {"N": 1}]


def test_an_original_that_always_crashes_is_unverified(save: Any, tmp_path: Path) -> None:
    with scripted(save, tmp_path, "os.kill(os.getpid(), signal.SIGABRT)", "pass") as verifier:
        found = verifier.check(verifier.path)
    assert found.status is Status.UNVERIFIED
    assert "aborted" in found.reason


def test_an_original_that_hangs_is_unverified(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.verify.verifier._GRACE", 0.0)
    started = time.monotonic()
    with scripted(save, tmp_path, "time.sleep(600)", "pass", timeout=1) as verifier:
        found = verifier.prepare()
    assert found.status is Status.UNVERIFIED
    assert "within 1 s" in found.reason
    assert time.monotonic() - started < 30
