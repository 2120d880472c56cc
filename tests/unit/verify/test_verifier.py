"""Verification end to end: real models in ONNX Runtime, and children that crash, hang or lie."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gopt.errors import GoptError, MissingComponentError, ModelError, UsageError, VerificationError
from gopt.verify import Limits, Status, Verification, Verifier, verify

HEAD = '<ir_version: 8, opset_import: ["": 18]>'
AFFINE = "g (float[B,N] x) => (float[B,N] y) { two = Constant<value_float = 2.0>()  m = Mul(x, two)  y = Relu(m) }"


@pytest.fixture
def save(tmp_path: Path) -> Any:
    """Writes a model (text or proto) and returns its path."""

    def write(source: Any, name: str = "model.onnx") -> Path:
        proto = onnx.parser.parse_model(f"{HEAD} {source}") if isinstance(source, str) else source
        onnx.save(proto, tmp_path / name)
        return tmp_path / name

    return write


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


def test_rounding_passes_unless_exactness_is_demanded(save: Any) -> None:
    other = AFFINE.replace("2.0", "2.0000005")
    assert compared(save, AFFINE, other).ok
    assert "bit-equal" in compared(save, AFFINE, other, exact=True).reason


def test_a_size_baked_in_is_caught(save: Any) -> None:
    text = "g (float[B,8] x) => (float[M] y) { s = Constant<value_ints = [-1]>()  y = Reshape(x, s) }"
    found = compared(save, text, text.replace("[-1]", "[8]"))
    assert found.status is Status.FAILED
    assert "B=2" in found.reason


def test_a_declared_size_baked_in_is_caught(save: Any) -> None:
    assert compared(save, AFFINE, AFFINE.replace("B,N", "1,N")).status is Status.FAILED


def test_nan_where_there_was_nan(save: Any) -> None:
    text = "g (float[50] x) => (float[50] y) { s = Sqrt(x)  y = Neg(s) }"
    assert compared(save, text, text, exact=True).ok
    assert not compared(save, text, text.replace("Sqrt", "Abs")).ok


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ("g (float[B,N] z) => (float[B,N] y) { y = Relu(z) }", "input 'x' is gone"),
        ("g (float[B,N] x) => (float[B,N] z) { z = Relu(x) }", "output 'y' is gone"),
        ("g (float[B,N] x) => (float[B,N] y, float[B,N] z) { y = Relu(x)  z = Neg(x) }", "new output 'z'"),
        ("g (float[B,N] x, float w) => (float[B,N] y) { z = Relu(x)  y = Mul(z, w) }", "new input 'w'"),
        ("g (double[B,N] x) => (double[B,N] y) { y = Relu(x) }", "input 'x': tensor(float) became tensor(double)"),
        ("g (float[B,N] x) => (float[B,N] y) { y = other.Relu(x) }", "cannot load"),
    ],
)
def test_the_interface_is_compared(save: Any, candidate: str, reason: str) -> None:
    found = compared(save, "g (float[B,N] x) => (float[B,N] y) { y = Relu(x) }", candidate)
    assert found.status is Status.FAILED
    assert reason in found.reason


def test_extra_outputs_where_they_are_wanted(save: Any) -> None:
    text = "g (float[B,N] x) => (float[B,N] y) { m = Neg(x)  y = Relu(m) }"
    assert compared(save, text, text.replace("(float[B,N] y)", "(float[B,N] m, float[B,N] y)"), extra=True).ok


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("g (float[N] x) => (float[N] y) { y = acme.Magic(x) }", "cannot load"),
        ("g (float[2] x) => (float[3] y) { s = Constant<value_ints = [3]>()  y = Reshape(x, s) }", "does not run"),
        (
            "g (float[N] x) => (float[3] y) { s = Constant<value_ints = [1,1,99991]>() y = Reshape(x, s) }",
            "none of the",
        ),
    ],
)
def test_what_cannot_be_run_is_unverified(save: Any, text: str, reason: str) -> None:
    found = compared(save, text, text)
    assert found.status is Status.UNVERIFIED
    assert reason in found.reason
    assert found.summary().startswith("not verified")
    assert found.require() is found


def test_garbage_is_unverified(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x07garbage")
    assert verify(tmp_path / "a.onnx", tmp_path / "a.onnx").status is Status.UNVERIFIED


def test_an_index_range_that_nothing_tells_is_found_by_trying(save: Any) -> None:
    text = """g (int64[6] i, float[3] x) => (float[6] y) { m = Add(x, x) k = NonZero(m) n = Shape(k)
              t = ConstantOfShape(n)  z = Constant<value_ints = [0]>()  r = Gather<axis = 1>(t, i)
              q = ReduceSum(r, z)  y = Squeeze(q, z) }"""
    assert compared(save, text, text).ok


def test_random_operators_are_seeded(save: Any) -> None:
    text = """g (float[B,8] x) => (float[B,8] y) { r = RandomNormalLike(x)  s = RandomNormalLike(x)
              t = Add(r, x)  y = Sub(t, s) }"""
    found = compared(save, text, text.replace("t = Add(r, x)", "u = Identity(x)  t = Add(r, u)"), exact=True)
    assert found.ok
    assert "random operators were given seeds" in found.notes
    assert not compared(save, text, text.replace("s = RandomNormalLike(x)", "s = Identity(r)")).ok


@pytest.mark.parametrize("dtype", ["FLOAT16", "BFLOAT16", "DOUBLE", "INT4", "FLOAT8E4M3FN", "BOOL", "STRING"])
def test_element_types(save: Any, dtype: str) -> None:
    kind = TensorProto.DataType.Value(dtype)
    to = TensorProto.FLOAT if dtype != "STRING" else kind
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=to), helper.make_node("Cast", ["f"], ["y"], to=kind)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [3, "N"])],
        [helper.make_tensor_value_info("y", kind, [3, "N"]), helper.make_tensor_value_info("f", to, [3, "N"])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    found = compared(save, proto, proto, exact=True)
    assert found.ok, found.reason


def test_sequences_and_optionals(save: Any) -> None:
    text = """g (seq(float[N]) s, optional(float[N]) o) => (seq(float[N]) t, bool h)
              { t = SequenceErase(s)  h = OptionalHasElement(o) }"""
    assert compared(save, text, text).ok
    other = text.replace("t = SequenceErase(s)", "t = Identity(s)")
    assert "3 elements" not in compared(save, text, text).reason
    assert "2 elements became 3" in compared(save, text, other).reason


def test_large_outputs_go_through_files(save: Any) -> None:
    text = "g (float[2200,2200] x) => (float[2200,2200] y) { y = Neg(x) }"
    assert compared(save, text, text, exact=True).ok
    assert not compared(save, text, text.replace("Neg", "Abs")).ok


def test_external_data_beside_random_operators(save: Any, tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(
        HEAD + "g (float[4] x) => (float[4] y) { r = RandomNormalLike(x)  t = Add(r, w)  y = Add(t, x) }"
    )
    proto.graph.initializer.append(
        helper.make_tensor("w", TensorProto.FLOAT, [4], np.ones(4, "<f4").tobytes(), raw=True)
    )
    path = tmp_path / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert verify(path, path, exact=True).ok


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


def test_one_verifier_checks_many_candidates_and_leaves_no_files(save: Any, tmp_path: Path) -> None:
    original = save(AFFINE, "a.onnx")
    with Verifier.start(original) as verifier:
        folder = verifier._child.folder
        assert folder.is_dir()
        assert verifier.check(original).ok
        assert not verifier.check(save(AFFINE.replace("2.0", "3.0"), "b.onnx")).ok
        assert verifier.check(original, exact=True).ok
    assert not folder.exists()
    assert not verifier._child.alive
    with pytest.raises(GoptError):
        Verifier.check(Verifier.start(original).__enter__(), tmp_path / "nothing.onnx")


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
    monkeypatch.setattr("gopt.verify.verifier._LEAST", 1.0)
    with scripted(save, tmp_path, f"say({PREPARED})", act, timeout=1) as verifier:
        first = verifier._child.folder
        for _ in range(2):  # and the next child takes the next question
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
