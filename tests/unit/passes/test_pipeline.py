"""Pipelines: what text selects, in which order it runs, what `skip` leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gopt.errors import UsageError
from gopt.ir import Model, Value
from gopt.passes import PRESETS, Pass, Pipeline, Preset, Registry, as_pipeline, parse
from gopt.passes.pipeline import Loop, PassStep, RuleStep, Step
from gopt.rewrite import Context, P, Rewriter, Rule, rule


def _rule(name: str) -> Rule:
    @rule(P.Relu("x"), name=name)
    def some(rw: Rewriter, x: Value) -> Value:
        return x

    return some


@dataclass(frozen=True)
class Sweep(Pass):
    """Sweeps."""

    depth: int = 1

    def run(self, model: Model, ctx: Context) -> None:
        pass


@dataclass(frozen=True)
class Alone(Pass):
    """Runs only when named in full."""

    def run(self, model: Model, ctx: Context) -> None:
        pass


Sweep.name, Sweep.aliases = "tidy.sweep", ("sweep-up",)
Alone.name, Alone.in_family = "tidy.alone", False
ADD, MUL, DUST, WASH = _rule("mend.sums.add"), _rule("mend.products.mul"), _rule("tidy.dust"), _rule("tidy.wash")
REGISTRY = Registry((), entry_points=False)
for _member in (ADD, MUL, DUST):
    REGISTRY.add(_member)
REGISTRY.add_pass(Sweep)
REGISTRY.add(WASH)
REGISTRY.add_pass(Alone)


def read(text: str, *skip: str) -> Pipeline:
    return parse(text, skip, REGISTRY)


def shape(steps: tuple[Step, ...]) -> list[Any]:
    """Steps as nested lists of names."""
    return [
        [*shape(s.steps), s.times]
        if isinstance(s, Loop)
        else [r.name for r in s.rules]
        if isinstance(s, RuleStep)
        else s
        for s in steps
    ]


def names(pipeline: Pipeline) -> list[str]:
    return [m.name for m in pipeline.members]


def test_a_name_selects_a_family_a_file_or_one() -> None:
    assert names(read("mend")) == ["mend.sums.add", "mend.products.mul"]
    assert names(read("mend.sums")) == ["mend.sums.add"]
    assert names(read("mend.sums.add")) == ["mend.sums.add"]
    assert names(read("tidy")) == ["tidy.dust", "tidy.sweep", "tidy.wash"]
    assert names(read("sweep-up")) == ["tidy.sweep"]
    assert names(read("tidy.alone")) == ["tidy.alone"]
    assert names(read("mend,mend")) == names(read("mend"))


def test_adjacent_rules_are_one_step() -> None:
    dust, wash, add, mul = (r.name for r in (DUST, WASH, ADD, MUL))
    assert shape(read("mend,tidy").steps()) == [[add, mul, dust], PassStep(Sweep()), [wash]]
    assert [s.name for s in read("mend,tidy").steps()] == ["mend,tidy", "tidy.sweep", "tidy"]
    assert shape(read("tidy.wash,(mend),(tidy.dust,mend.sums)").steps()) == [[wash, add, mul, dust]]
    assert shape(read("(mend)*,tidy.dust").steps()) == [[[add, mul], None], [dust]]
    assert shape(read("((mend,sweep-up)*2)*").steps()) == [[[[add, mul], PassStep(Sweep()), 2], None]]
    assert shape(read("()*,(())").steps()) == []


def test_skip_leaves_out_families_files_rules_and_passes() -> None:
    assert names(read("mend,tidy", "mend")) == ["tidy.dust", "tidy.sweep", "tidy.wash"]
    assert names(read("mend", "mend.sums")) == ["mend.products.mul"]
    assert names(read("tidy", "tidy.dust", "sweep-up")) == ["tidy.wash"]
    assert shape(read("(tidy)*", "tidy").steps()) == []
    # With the pass between them left out, the rules on its two sides are adjacent.
    assert shape(read("tidy", "tidy.sweep").steps()) == [["tidy.dust", "tidy.wash"]]
    assert names(as_pipeline([ADD, Sweep(2)], ["mend"], REGISTRY)) == ["tidy.sweep"]


def test_skip_of_what_does_not_exist_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"--skip: there is no pass 'tidy.dusst'; did you mean tidy\.dust"):
        read("tidy", "tidy.dusst")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mend",
        "mend.sums.add,tidy.dust",
        "(mend,tidy)*,tidy.sweep:depth=3",
        "((mend)*3,(tidy))*",
        "@neat,tidy.alone",
    ],
)
def test_text_and_pipeline_are_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "neat", Preset("neat", "(mend,tidy)*", "neat"))
    pipeline = read(text)
    assert str(pipeline) == text
    assert read(str(pipeline)) == pipeline


def test_text_is_canonical() -> None:
    assert str(read(" mend , ( tidy.sweep : depth = '3' ) * 2 ")) == "mend,(tidy.sweep:depth=3)*2"
    assert str(read("sweep-up:depth=1")) == "tidy.sweep"


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("mend,mendd", "there is no pass 'mendd'; did you mean mend?", 5),
        ("mend.sum", "did you mean mend.sums", 0),
        ("(mend,dust)*", "did you mean tidy.dust", 6),
        ("tidy:depth=1", "tidy selects 3 passes; options can be given to one alone", 5),
        ("tidy.dust:depth=1", "tidy.dust is a rule, which takes no options", 10),
        ("tidy.sweep:deep=1", "there is no option 'deep'; did you mean depth?", 11),
        ("mend,@defualt", "there is no preset @defualt; did you mean @default?", 5),
    ],
)
def test_errors_show_the_place(text: str, message: str, column: int) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    first, shown, caret = str(caught.value).split("\n")
    assert message in first
    assert shown == f"  {text}"
    assert len(caret) - len(caret.lstrip()) == column + 2


def test_a_family_of_passes_that_must_be_named_says_so() -> None:
    registry = Registry((), entry_points=False)
    registry.add_pass(Alone)
    with pytest.raises(UsageError, match=r"must be named in full: tidy\.alone"):
        parse("tidy", registry=registry)


def test_a_preset_that_contains_itself_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "a", Preset("a", "@b", ""))
    monkeypatch.setitem(PRESETS, "b", Preset("b", "(@a)*", ""))
    with pytest.raises(UsageError, match="@a contains itself"):
        read("@a")


def test_a_pipeline_can_be_put_together_in_python() -> None:
    mixed = as_pipeline(["mend.sums", Sweep(depth=2), WASH, [Sweep, "(tidy.dust)*"]], registry=REGISTRY)
    assert str(mixed) == "mend.sums,tidy.sweep:depth=2,tidy.wash,tidy.sweep,(tidy.dust)*"
    assert read(str(mixed)) == mixed
    assert as_pipeline(mixed) == mixed
    assert as_pipeline("mend", registry=REGISTRY) == read("mend")
    assert as_pipeline(ADD).members == (ADD,)
    assert as_pipeline([]).steps() == ()
    with pytest.raises(UsageError, match="not a pass, rule or pipeline: 3"):
        as_pipeline([3])
