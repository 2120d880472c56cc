"""Options of passes: fields read from text, written back, and refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gopt.errors import UsageError
from gopt.ir import Model
from gopt.passes import Pass, Pipeline, Registry, option, register
from gopt.passes.pipeline import as_pipeline, parse
from gopt.rewrite import Context


class Side(Enum):
    LEFT = 0
    RIGHT = 1


class _Idle(Pass):
    def run(self, model: Model, ctx: Context) -> None:
        pass


@register(alias="all-kinds")
@dataclass(frozen=True)
class Kinds(_Idle):
    """One option of each kind."""

    count: int = option(3, help="how many")
    rate: float = 0.5
    deep: bool = False
    label: str = ""
    path: Path = Path("x")
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ("a",)
    side: Side = Side.LEFT
    mode: Literal["fast", "slow"] = "fast"
    limit: int | None = None
    free: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@register
@dataclass(frozen=True)
class Needy(_Idle):
    """An option without default."""

    file: Path


@register
@dataclass(frozen=True)
class Strict(_Idle):
    """An option with bounds."""

    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("size must be positive")


REGISTRY = Registry((), entry_points=False)
for _cls in (Kinds, Needy, Strict):
    REGISTRY.add_pass(_cls)


def read(text: str) -> Pass:
    (found,) = parse(f"test_options.{text}", registry=REGISTRY).members
    assert isinstance(found, Pass)
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("kinds", Kinds()),
        ("kinds:count=5", Kinds(count=5)),
        ("kinds:count=-5;rate=1e+3", Kinds(count=-5, rate=1000.0)),
        ("kinds:deep", Kinds(deep=True)),
        ("kinds:deep=No", Kinds()),
        ("kinds:label='a b'", Kinds(label="a b")),
        ("kinds:label=a+b", Kinds(label="a+b")),
        ("kinds:path=/tmp/x.npy", Kinds(path=Path("/tmp/x.npy"))),
        ("kinds:shape=1x3x-1", Kinds(shape=(1, 3, -1))),
        ("kinds:shape=1+3", Kinds(shape=(1, 3))),
        ("kinds:names=", Kinds(names=())),
        ("kinds:names=b+'c d'", Kinds(names=("b", "c d"))),
        ("kinds:side=right;mode=slow", Kinds(side=Side.RIGHT, mode="slow")),
        ("kinds:limit=4", Kinds(limit=4)),
        ("kinds:limit=none", Kinds()),
        ("kinds:input:0=1x3;y=2", Kinds(free={"input:0": (1, 3), "y": (2,)})),
        ("needy:file=a", Needy(Path("a"))),
    ],
)
def test_it_reads_and_writes(text: str, wanted: Pass) -> None:
    assert read(text) == wanted
    assert read(str(wanted).removeprefix("test_options.")) == wanted


TEXT = st.text(max_size=6)
INTS = st.lists(st.integers(), max_size=3).map(tuple)


@given(
    st.builds(
        Kinds,
        st.integers(),
        st.floats(allow_nan=False),
        st.booleans(),
        TEXT,
        TEXT.map(Path),
        INTS,
        st.lists(TEXT, max_size=3).map(tuple),
        st.sampled_from(Side),
        st.sampled_from(["fast", "slow"]),
        st.none() | st.integers(),
        st.dictionaries(TEXT.filter(lambda t: t.replace("-", "_") not in Kinds.__dataclass_fields__), INTS, max_size=2),
    )
)
def test_any_options_survive_text(wanted: Kinds) -> None:
    pipeline = as_pipeline(wanted)
    again = parse(str(pipeline), registry=REGISTRY)
    assert again == pipeline
    assert str(again) == str(pipeline)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("kinds:count=many", "the option count takes a whole number, not 'many'", 19),
        ("kinds:rate=1;side=up", "the option side takes left or right, not 'up'", 26),
        ("kinds:mode=medium", "the option mode takes fast or slow", 19),
        ("kinds:deep=maybe", "the option deep takes true or false", 19),
        ("kinds:shape=1x3xy", "the option shape takes sizes as 1x3x224", 19),
        ("kinds:count", "the option count needs a value", 19),
        ("kinds:colour=red", "takes sizes as 1x3x224, not 'red'", 19),
        ("needy", "test_options.needy: needs the option file", 0),
        ("needy:fil=x", "there is no option 'fil'; did you mean file?", 19),
        ("strict:size=0", "test_options.strict: size must be positive", 0),
    ],
)
def test_what_is_wrong_is_named_and_shown(text: str, message: str, column: int) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    first, _, caret = str(caught.value).split("\n")
    assert message in first
    assert len(caret) - len(caret.lstrip()) == column + 2


def test_a_dash_stands_for_an_underscore() -> None:
    @register(name="dash.ed")
    @dataclass(frozen=True)
    class Dashed(_Idle):
        max_growth: int = 0

    registry = Registry((), entry_points=False)
    registry.add_pass(Dashed)
    assert parse("dash.ed:max-growth=3", registry=registry).members == (Dashed(3),)


def test_a_pass_that_cannot_have_options_is_refused_at_import() -> None:
    with pytest.raises(UsageError, match="type of the field data"):

        @register
        @dataclass(frozen=True)
        class Odd(_Idle):
            data: list[int] = field(default_factory=list)

    with pytest.raises(UsageError, match="frozen=True"):

        @register
        @dataclass
        class Loose(_Idle):
            data: int = 1

    with pytest.raises(UsageError, match="both take options of any name"):

        @register
        @dataclass(frozen=True)
        class Greedy(_Idle):
            a: Mapping[str, int] = field(default_factory=dict)
            b: Mapping[str, int] = field(default_factory=dict)

    with pytest.raises(UsageError, match="no option can be called name"):

        @register
        @dataclass(frozen=True)
        class Vain(_Idle):
            name: str = ""  # type: ignore[misc]

    with pytest.raises(UsageError, match="not derived"):
        register(dataclass(frozen=True)(type("Alien", (), {})))  # type: ignore[type-var]


def test_a_pass_given_in_python_is_its_text() -> None:
    assert (
        str(as_pipeline([Kinds(count=7), Needy(Path("f"))])) == "test_options.kinds:count=7,test_options.needy:file=f"
    )
    assert isinstance(as_pipeline(Kinds), Pipeline)
