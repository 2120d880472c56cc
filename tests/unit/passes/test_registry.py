"""Names: where they come from, what they select, what is said of those that do not exist."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gopt.errors import UsageError
from gopt.ir import Model, Value
from gopt.passes import Pass, Registry, describe, list_passes, load_plugin, register
from gopt.passes.registry import REGISTRY
from gopt.rewrite import Context, Numerics, P, Rewriter, rule

RULES = '''
from gopt.rewrite import P, Numerics, rule

@rule(P.Relu(P.Relu("x")))
def relu_relu(rw, x):
    """Relu(Relu(x)) -> Relu(x)

    Always.
    """
    return rw.Relu(x)

@rule(P.Neg(P.Neg("x")), numerics=Numerics.ROUNDING, since=6)
def neg_neg(rw, x):
    """Neg(Neg(x)) -> x"""
    return x
'''
PASS = '''
from dataclasses import dataclass
from gopt.passes import Pass, option, register

@register(alias="short-name")
@dataclass(frozen=True)
class HTTPServer2Fix(Pass):
    """Fixes."""
    port: int = option(80, help="the port")
    def run(self, model, ctx): pass

@register
@dataclass(frozen=True)
class Named(Pass):
    file: str
    def run(self, model, ctx): pass
'''


def fresh() -> Registry:
    return Registry((), entry_points=False)


def names(found: Any) -> list[str]:
    return [m.name for m in found]


def plugin(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_plugin_file_is_a_family(tmp_path: Path) -> None:
    registry = fresh()
    load_plugin(plugin(tmp_path, "acme.py", RULES), registry)
    assert names(registry.find("acme")) == ["acme.relu_relu", "acme.neg_neg"]
    assert names(registry.find("acme.neg_neg")) == ["acme.neg_neg"]
    assert registry.find("acme.neg") == ()
    assert registry.find("acm") == ()


def test_a_plugin_folder_is_a_family_of_files(tmp_path: Path) -> None:
    plugin(tmp_path, "acme2/__init__.py", "MODULES = ('zwei', 'eins')")
    plugin(tmp_path, "acme2/eins.py", RULES)
    plugin(tmp_path, "acme2/zwei.py", PASS)
    registry = fresh()
    load_plugin(tmp_path / "acme2", registry)
    every = ["acme2.zwei.http_server2_fix", "acme2.zwei.named", "acme2.eins.relu_relu", "acme2.eins.neg_neg"]
    assert names(registry.find("acme2")) == [n for n in every if n != "acme2.zwei.named"]
    assert names(registry.find("acme2.eins")) == every[2:]
    assert names(registry.find("acme2.zwei.named")) == ["acme2.zwei.named"]


def test_names_of_passes_derive_from_module_and_class(tmp_path: Path) -> None:
    registry = fresh()
    load_plugin(plugin(tmp_path, "named.py", PASS), registry)
    assert names(registry.find("named.http_server2_fix")) == ["named.http_server2_fix"]
    assert names(registry.find("short-name")) == ["named.http_server2_fix"]
    # The module's namesake is called like the module; it needs an option, yet is selected since that is its full name.
    assert names(registry.find("named")) == ["named", "named.http_server2_fix"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import no_such_module_at_all\n", "line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("x = 1\n", "defines no rule"),
        ("from gopt.rewrite import P, rule\n@rule(P.Relu('x'))\ndef f(rw, y): ...\n", "captures no 'y'"),
        ("import json\n\ndef f():\n    json.loads('{')\nf()\n", "line 4: JSONDecodeError"),
    ],
)
def test_an_error_in_a_plugin_is_one_line_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = plugin(tmp_path, "broken.py", text)
    with pytest.raises(UsageError) as caught:
        load_plugin(path, fresh())
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plugin_must_exist_and_have_a_name_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_plugin(tmp_path / "none.py", fresh())
    with pytest.raises(UsageError, match="built-in family"):
        load_plugin(plugin(tmp_path, "inline.py", RULES), REGISTRY)
    with pytest.raises(UsageError, match="cannot be the first part"):
        load_plugin(plugin(tmp_path, "1st.py", RULES), fresh())


def test_a_plugin_hides_no_module(tmp_path: Path) -> None:
    import json

    load_plugin(plugin(tmp_path, "json.py", RULES), fresh())
    assert sys.modules["json"] is json


def test_a_plugin_may_be_loaded_again(tmp_path: Path) -> None:
    registry = fresh()
    path = plugin(tmp_path, "again.py", RULES)
    load_plugin(path, registry)
    load_plugin(path, registry)
    assert len(registry.find("again")) == 2


def test_two_passes_of_one_name_are_refused() -> None:
    registry = fresh()

    @rule(P.Relu("x"), name="twice.here")
    def first(rw: Rewriter, x: Value) -> Value:
        return x

    @rule(P.Relu("x"), name="twice.here")
    def second(rw: Rewriter, x: Value) -> Value:
        return x

    registry.add(first)
    with pytest.raises(UsageError, match=r"two passes named twice\.here"):
        registry.add(second)


def test_an_alias_stands_for_one_pass() -> None:
    def make(name: str) -> type[Pass]:
        @dataclass(frozen=True)
        class Some(Pass):
            def run(self, model: Model, ctx: Context) -> None:
                pass

        Some.name, Some.aliases = name, ("both",)
        return Some

    registry = fresh()
    registry.add_pass(make("some.a"))
    with pytest.raises(UsageError, match=r"alias both of some\.b is one of some\.a"):
        registry.add_pass(make("some.b"))


def test_entry_points_are_scanned_for_unknown_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme_passes")
    exec(RULES, vars(module))
    monkeypatch.setitem(sys.modules, "acme_passes", module)
    scans = []

    def points(group: str) -> list[EntryPoint]:
        scans.append(group)
        return [
            EntryPoint("acme3", "acme_passes", group),
            EntryPoint("broken", "no_such_module", group),
        ]

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    registry = Registry(("inline",))
    assert registry.find("inline")
    assert not scans
    assert names(registry.find("acme3")) == ["acme3.relu_relu", "acme3.neg_neg"]
    assert names(registry.find("acme3.neg_neg")) == ["acme3.neg_neg"]
    with pytest.raises(UsageError, match=r"package no_such_module: ModuleNotFoundError"):
        registry.find("broken")
    # A broken package that nobody asked for is no hindrance to a list of all.
    assert "acme3.neg_neg" in [i.name for i in Registry(("inline",)).infos()]


def test_unknown_names_come_with_what_was_meant(tmp_path: Path) -> None:
    registry = fresh()
    load_plugin(plugin(tmp_path, "acme4.py", RULES), registry)
    assert registry.unknown("acme5") == "there is no pass 'acme5'; did you mean acme4?"
    assert "acme4.relu_relu" in registry.unknown("acme4.relurelu")
    assert "acme4.neg_neg" in registry.unknown("neg_neg")
    assert registry.unknown("qqqqq") == "there is no pass 'qqqqq'; `gopt passes` lists all"


def test_infos_tell_what_there_is(tmp_path: Path) -> None:
    registry = fresh()
    load_plugin(plugin(tmp_path, "told.py", RULES), registry)
    load_plugin(plugin(tmp_path, "named.py", PASS), registry)
    by_name = {i.name: i for i in registry.infos()}
    relu, neg = by_name["told.relu_relu"], by_name["told.neg_neg"]
    assert (relu.kind, relu.family, relu.summary) == ("rule", "told", "Relu(Relu(x)) -> Relu(x)")
    assert relu.doc.endswith("Always.")
    assert (neg.numerics, neg.since) == (Numerics.ROUNDING, 6)
    fix = by_name["named.http_server2_fix"]
    assert (fix.kind, fix.summary, fix.aliases) == ("pass", "Fixes.", ("short-name",))
    assert [(o.name, o.type, o.default, o.help) for o in fix.options] == [("port", "a whole number", "80", "the port")]
    assert by_name["named"].doc == ""
    assert by_name["named"].options[0].default is None


def test_built_in_passes_are_listed_in_the_order_in_which_they_run() -> None:
    inline = [i.name for i in list_passes() if i.family == "inline"]
    assert inline == [f"inline.{name}" for name in ("functions", "branches", "loops", "carried", "hoist")]
    assert [i.name for i in describe("inline")] == inline
    assert describe("inline-functions")[0].name == "inline.functions"
    with pytest.raises(UsageError, match="did you mean inline"):
        describe("inlin")


def test_every_built_in_pass_says_what_it_does() -> None:
    for info in list_passes():
        assert info.summary or info.family not in REGISTRY.families, info.name


def test_the_decorator_registers_scripts_too() -> None:
    @register(name="script.tidy")
    @dataclass(frozen=True)
    class Tidy(Pass):
        """Tidies."""

        def run(self, model: Model, ctx: Context) -> None:
            pass

    assert REGISTRY.find("script.tidy") == (Tidy,)
