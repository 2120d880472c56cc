"""Random chains of ops: where another batch size is not refused, each sample gets what it gets alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from gopt.errors import UsageError
from gopt.frontends.text import parse
from gopt.passes.shape._batch import plan

from .batches import HEAD, same

Shape = list[int]
Step = Callable[[random.Random, str, str, Shape], tuple[str, Shape] | None]
STEPS: list[Step] = []


def step(function: Step) -> Step:
    STEPS.append(function)
    return function


def ints(name: str, values: Shape) -> str:
    return f"{name} = Constant<value_ints = {values}>()"


@step
def reshape(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    rest, made = math.prod(shape), []
    for _ in range(r.randint(0, 3)):
        made.append(r.choice([d for d in range(1, rest + 1) if rest % d == 0]))
        rest //= made[-1]
    made.insert(r.randint(0, len(made)), rest)
    return f"{ints(y + 's', made)} {y} = Reshape({x}, {y}s)", made


@step
def transpose(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    perm = r.sample(range(len(shape)), len(shape))
    return f"{y} = Transpose<perm = {perm}>({x})", [shape[k] for k in perm]


@step
def reduced(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    axis = r.randrange(len(shape))
    return f"{y} = ReduceMax<axes = [{axis}]>({x})", [1 if k == axis else d for k, d in enumerate(shape)]


@step
def softmax(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    return f"{y} = Softmax<axis = {r.randrange(len(shape))}>({x})", shape


@step
def doubled(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    axis = r.randrange(len(shape))
    return f"{y} = Concat<axis = {axis}>({x}, {x})", [2 * d if k == axis else d for k, d in enumerate(shape)]


@step
def halved(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape] | None:
    even = [k for k, d in enumerate(shape) if d % 2 == 0]
    if not even:
        return None
    axis = r.choice(even)
    return f"{y}r, {y} = Split<axis = {axis}>({x})", [d // 2 if k == axis else d for k, d in enumerate(shape)]


@step
def scaled(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    dims = [r.choice([1, d]) for d in shape][r.randrange(len(shape)) :]
    values = ", ".join(str(r.choice([1, 2, 3])) for _ in range(math.prod(dims)))
    return f"{y}c = Constant<value = float[{','.join(map(str, dims))}] {{{values}}}>() {y} = Mul({x}, {y}c)", shape


@step
def multiplied(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape] | None:
    if len(shape) < 2:
        return None
    values = ", ".join(str(r.choice([0, 1, -1])) for _ in range(2 * shape[-1]))
    text = f"{y}c = Constant<value = float[{shape[-1]},2] {{{values}}}>() {y} = MatMul({x}, {y}c)"
    return text, [*shape[:-1], 2]


@step
def cut(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    axis = r.randrange(len(shape))
    low = r.randrange(shape[axis])
    high = r.randint(low + 1, shape[axis])
    bounds = " ".join(ints(y + n, [v]) for n, v in (("a", low), ("b", high), ("d", axis)))
    return f"{bounds} {y} = Slice({x}, {y}a, {y}b, {y}d)", [high - low if k == axis else d for k, d in enumerate(shape)]


@step
def squeezed(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape] | None:
    ones = [k for k, d in enumerate(shape) if d == 1]
    if not ones or len(shape) < 2:
        return None
    axis = r.choice(ones)
    return f"{ints(y + 'a', [axis])} {y} = Squeeze({x}, {y}a)", shape[:axis] + shape[axis + 1 :]


@step
def unsqueezed(r: random.Random, x: str, y: str, shape: Shape) -> tuple[str, Shape]:
    axis = r.randint(0, len(shape))
    return f"{ints(y + 'a', [axis])} {y} = Unsqueeze({x}, {y}a)", [*shape[:axis], 1, *shape[axis:]]


def model(r: random.Random, was: int) -> tuple[str, str]:
    """A chain of ops, and the name of its result."""
    shape = [was, *(r.choice([1, 2, 3, 4]) for _ in range(r.randint(1, 3)))]
    dims, name, body = ",".join(map(str, shape)), "x", []
    for number in range(r.randint(2, 6)):
        made = r.choice(STEPS)(r, name, f"v{number}", shape)
        if made is not None and math.prod(made[1]) < 2000 and len(made[1]) < 6:
            name, shape = f"v{number}", made[1]
            body.append(made[0])
    if name == "x":
        name, body = "y", ["y = Neg(x)"]
    return f"g (float[{dims}] x) => (float[{','.join(map(str, shape))}] {name}) {{ {' '.join(body)} }}", name


@pytest.mark.parametrize("seed", range(60))
def test_what_is_not_refused_is_right(seed: int) -> None:
    r = random.Random(seed)
    was = r.choice([1, 1, 2])
    text, name = model(r, was)
    try:
        found = plan(parse(HEAD + text), {}, None).outputs[name]
    except UsageError:
        return
    assert found is not None
    same(text, r.choice(["to=3", "to=n"]), was=was, **{name: found.axis})


def test_many_chains_are_understood() -> None:
    understood = 0
    for seed in range(60):
        r = random.Random(seed)
        try:
            plan(parse(HEAD + model(r, r.choice([1, 1, 2]))[0]), {}, None)
        except UsageError:
            continue
        understood += 1
    assert understood > 15
