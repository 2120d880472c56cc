"""The commands beside `run`."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gopt.cli.root import COMMANDS
from gopt.cli.root import cli as root

from .conftest import Cli


def all_commands() -> list[str]:
    """Commands, and those of groups."""
    found = []
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        inner = list(command.commands) if isinstance(command, click.Group) else []
        found += [f"{name} {part}" for part in inner] or [name]
    return found


@pytest.mark.parametrize("name", all_commands())
def test_every_command_has_help_with_an_example_and_json(name: str, runner: CliRunner) -> None:
    done = runner.invoke(root, [*name.split(), "--help"])
    assert done.exit_code == 0
    assert "--json" in done.output
    assert f"Example: gopt {name}" in done.output


def test_help_lists_all_commands(runner: CliRunner) -> None:
    done = runner.invoke(root, ["--help"])
    assert all(name in done.output for name in COMMANDS)


def test_passes_lists_families_and_explains_one(cli: Cli) -> None:
    out = cli("passes").out
    assert "\nclean" in f"\n{out}"
    assert "@default" in out
    names = [p["name"] for p in cli("passes", "--json").json["passes"]]
    assert names
    one = cli("passes", names[0], "--json").json
    assert one["name"] == names[0]
    assert names[0] in cli("passes", names[0]).out
    assert cli("passes", "@default").out.startswith("@default = ")
    assert cli("passes", "no.such").status == 2


def test_passes_knows_plugins(cli: Cli, wrong: Path) -> None:
    found = cli("passes", "wrong", "--plugin", wrong, "--json").json["passes"]
    assert [p["name"] for p in found] == ["wrong.negate", "wrong.abs_abs"]
    assert found[1]["summary"] == "Abs(Abs(x)) -> Abs(x)"


def test_inspect(cli: Cli, model: Path) -> None:
    data = cli("inspect", model, "--json").json
    assert data["ops"] == {"Mul": 2, "HardSigmoid": 1, "Identity": 1, "Neg": 1, "Relu": 1}
    assert data["inputs"] == [{"name": "x", "type": "float[n,4]", "default": False}]
    assert data["dynamic_dims"] == {"n": ["x.0"]}
    assert data["opsets"] == {"ai.onnx": 17}
    assert data["largest_constants"] == [{"name": "one", "type": "float[1]", "bytes": 4, "users": ["Mul"]}]
    out = cli("inspect", model).out
    assert "6 ops, 1 constants of 4 B" in out
    assert "Relu" in cli("inspect", model, "--text").out


def test_compare_says_what_differs(cli: Cli, model: Path, wrong: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    cli("run", model, "-o", good, "--no-verify")
    cli("run", model, "-o", bad, "--no-verify", "--plugin", wrong, "--passes", "wrong")
    same = cli("compare", model, good)
    assert same.status == 0, same.err
    assert "Identity" in same.out
    assert "verified" in same.out
    differs = cli("compare", model, bad, "--json")
    assert differs.status == 4
    assert differs.json["verification"]["status"] == "failed"
    assert cli("compare", model, bad, "--no-run").status == 0


def test_bisect_finds_the_guilty_rewrite(cli: Cli, model: Path, wrong: Path) -> None:
    done = cli("bisect", model, "--plugin", wrong, "--passes", "clean,wrong")
    assert done.status == 4
    assert "guilty" in done.out
    key = done.out.split("--skip '")[1].split("'")[0]
    assert key.startswith("wrong.negate(")
    mended = cli("bisect", model, "--plugin", wrong, "--passes", "clean,wrong", "--skip", key, "--json")
    assert mended.status == 0
    assert mended.json["guilty"] is None
    assert sorted(p.name for p in model.parent.glob("*.onnx")) == ["model.onnx"]


def test_explain_tells_the_story_of_a_node(cli: Cli, model: Path) -> None:
    everything = cli("explain", model)
    assert everything.status == 0, everything.err
    assert "4 rewrites" in everything.out
    gone = cli("explain", model, "copy", "--json").json
    assert len(gone["entries"]) == 1
    assert "is gone" in gone["story"][0]
    assert "not touched" in cli("explain", model, "act").out
    unknown = cli("explain", model, "cpoy")
    assert unknown.status == 2
    assert "copy" in unknown.err


def test_explain_leads_from_a_new_node_to_the_old_ones(cli: Cli, model: Path) -> None:
    plugin = Path(__file__).resolve().parents[3] / "examples" / "custom_pass.py"
    data = cli("explain", model, "z", "--plugin", plugin, "--passes", "custom_pass", "--json").json
    assert [e["rule"] for e in data["entries"]] == ["custom_pass.hard_swish"]
    assert data["origins"] == ["Mul 'swish'", "HardSigmoid 'gate'"]


def test_test_pass_tells_right_from_wrong(cli: Cli, wrong: Path) -> None:
    done = cli("test-pass", wrong, "--cases", 5, "--json")
    assert done.status == 4
    verdicts = {r["rule"]: r["ok"] for r in done.json["rules"]}
    assert verdicts == {"wrong.negate": False, "wrong.abs_abs": True}
    assert "FAILED" in cli("test-pass", wrong, "--cases", 5).out
    assert cli("test-pass", "wrong.abs_abs", "--cases", 5).status == 0
    assert cli("test-pass", "no.such.rule").status == 2
