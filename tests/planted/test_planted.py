"""Every planted bug is caught and named, and the model that is delivered is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import gopt
from gopt.verify import Status

from .judging import judge, judge_file, sets_for
from .made import made
from .plant import PLUGIN, Plant
from .plants import BEYOND, ENDING_BADLY, PLANTS, SITES, WRONG_SITES

ROOT = Path(__file__).resolve().parents[2]


def find(name: str) -> Plant:
    return next(plant for plant in (*PLANTS, *ENDING_BADLY, SITES) if plant.name == name)


@pytest.mark.usefixtures("lent_child")
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_planted(plant: Plant, tmp_path: Path) -> None:
    found = judge(plant, tmp_path)
    assert found.fired, "it does nothing in its model: nothing was tested"
    assert found.error > 1e-5, "it does no harm: nothing was tested"
    assert found.caught
    assert found.names(plant.rule), found.guilty
    assert found.right
    assert found.model == "repaired", found.reason


@pytest.mark.usefixtures("lent_child")
@pytest.mark.parametrize("plant", BEYOND, ids=lambda plant: plant.name)
def test_what_is_known_to_be_missed(plant: Plant, tmp_path: Path) -> None:
    """As the documentation says; one that is caught after all belongs to the others."""
    found = judge(plant, tmp_path)
    assert found.error > 1e-5
    assert not found.caught


def test_there_are_plants_for_the_whole_plugin() -> None:
    from gopt.passes import load_plugin

    names = [plant.rule for plant in (*PLANTS, *BEYOND, *ENDING_BADLY, SITES)]
    assert {member.name for member in load_plugin(PLUGIN)} == set(names)


@pytest.mark.usefixtures("lent_child")
def test_nothing_is_found_where_nothing_is_planted(tmp_path: Path) -> None:
    """The same models, verified as carefully: what finds the bugs finds no others."""
    for number, plant in enumerate(PLANTS):
        path = tmp_path / f"{number}.onnx"
        onnx.save(made(plant.graph, plant.opset), path)
        result = gopt.run(path)
        assert result.verification is not None
        assert result.verification.status is Status.OK, plant.name
        assert result.repair is None, (plant.name, result.repair and result.repair.summary())


# -- several, some of the sites, worse ends ----------------------------------------------------------------------------


@pytest.mark.usefixtures("lent_child")
def test_two_at_once(tmp_path: Path) -> None:
    graph = """(float[N,6] x) => (float[N,4] y) <float[6,6] v, float[6,4] w, float[4] b> {
        p = MatMul(x, v) q = LeakyRelu<alpha = 0.2>(p) r = MatMul(q, w) t = Add(r, b) y = Sigmoid(t) }"""
    model = made(graph)
    onnx.save(model, tmp_path / "model.onnx")
    rules = ["wrong.arithmetic.bias_dropped", "wrong.arithmetic.alpha_default"]
    found = judge_file(tmp_path / "model.onnx", f"{','.join(rules)},@default", sets_for(model, Plant("", graph)), rules)
    assert found.names(*rules)
    assert found.right


@pytest.mark.usefixtures("lent_child")
def test_the_right_sites_of_a_rule_stay(tmp_path: Path) -> None:
    onnx.save(made(SITES.graph), tmp_path / "model.onnx")
    result = gopt.run(tmp_path / "model.onnx", SITES.rule, plugins=[PLUGIN])
    assert result.repair is not None
    assert [g.key for g in result.repair.guilty] == [f"{SITES.rule}(b{k})" for k in WRONG_SITES]
    assert [e.rule for e in result.ledger.entries] == [SITES.rule] * 8
    assert judge(SITES, tmp_path).right


@pytest.mark.parametrize("name", ["failing.raises", "failing.cycle"])
@pytest.mark.usefixtures("lent_child")
def test_what_raises_is_left_out_and_named(name: str, tmp_path: Path) -> None:
    result = _run(find(name), tmp_path)
    assert list(result.failed) == [find(name).rule]
    assert result.verification is not None
    assert result.verification.ok


@pytest.mark.parametrize("name", ["failing.nowhere", "failing.wrong_type", "failing.crashes"])
@pytest.mark.usefixtures("lent_child")
def test_what_is_no_model_or_crashes_is_left_out_and_named(name: str, tmp_path: Path) -> None:
    result = _run(find(name), tmp_path)
    assert result.repair is not None
    assert [g.rule for g in result.repair.guilty] == [find(name).rule]
    assert result.verification is not None
    assert result.verification.ok


@pytest.mark.usefixtures("lent_child")
def test_what_never_ends_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.verify.verifier._LEAST", 0.3)
    result = _run(find("failing.hangs"), tmp_path)
    assert result.repair is not None
    assert [g.rule for g in result.repair.guilty] == ["wrong.failing.hangs"]
    assert "longer than" in result.repair.guilty[0].found.reason


def test_from_the_command_line(tmp_path: Path) -> None:
    """In processes of their own, as somebody would meet it."""
    plant = find("arithmetic.upper_bound_dropped")
    model, out = tmp_path / "model.onnx", tmp_path / "out.onnx"
    onnx.save(made(plant.graph), model)
    command = [sys.executable, "-m", "gopt", "run", str(model), "-o", str(out), "--json", "--plugin", str(PLUGIN)]
    done = subprocess.run([*command, "--passes", plant.passes], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [g["rule"] for g in json.loads(done.stdout)["repair"]["guilty"]] == [plant.rule]
    clips = [node for node in onnx.load(out).graph.node if node.op_type == "Clip"]
    assert len(clips) == 1
    assert len(clips[0].input) == 3
    abort = [*command, "--force", "--passes", plant.passes, "--on-mismatch", "abort"]
    assert subprocess.run(abort, cwd=ROOT, capture_output=True, check=False).returncode == 4


def _run(plant: Plant, folder: Path) -> gopt.Result:
    onnx.save(made(plant.graph), folder / "model.onnx")
    return gopt.run(folder / "model.onnx", plant.passes, output=folder / "out.onnx", plugins=[PLUGIN])
