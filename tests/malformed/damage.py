"""Damage by chance, the same each time: truncations, flipped bits, and splices of pieces and of numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator

from .bombs import shape_chain, transposes
from .case import Case, model_of, node, sample, weight

SEEDS = 400


def _models() -> list[bytes]:
    conv = model_of(
        [
            node("Conv", "x w b", "c", pads=[1, 1, 1, 1]),
            node("Relu", "c", "r"),
            node("Transpose", "r", "t", perm=[0, 2, 3, 1]),
            node("ReduceMean", "t axes", "y", keepdims=0),
        ],
        weights=[weight("w", [[[[1.0] * 3] * 3]]), weight("b", [1.0]), weight("axes", [1], "int64")],
    )
    conv.graph.input[0].type.tensor_type.shape.ClearField("dim")
    for size in (1, 1, 5, 5):
        conv.graph.input[0].type.tensor_type.shape.dim.add(dim_value=size)
    conv.graph.output[0].type.tensor_type.ClearField("shape")
    made = [sample(), conv, shape_chain("quotients", 3), transposes(3)]
    return [m.SerializeToString() for m in made]


def truncations() -> Iterator[Case]:
    """Files that end early."""
    for number, data in enumerate(_models()):
        for end in range(1, len(data), 7):
            yield Case("truncations", f"model {number} at {end}", data[:end], verify=False)


def flips() -> Iterator[Case]:
    """Files with a bit that is another."""
    for number, data in enumerate(_models()):
        for bit in range(0, len(data) * 8, 11):
            other = bytearray(data)
            other[bit // 8] ^= 1 << bit % 8
            yield Case("flips", f"model {number} bit {bit}", bytes(other), verify=bit % 16 == 0)


_NASTY = (
    b"\xff" * 9 + b"\x01",
    b"\x00",
    b"\x7f",
    b"\x80\x01",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x0f",
    b"\x0b",
    b"\x1b[2J",
)


def splices() -> Iterator[Case]:
    """Files of which pieces were moved, doubled, left out, or replaced by numbers that hurt."""
    models = _models()
    for seed in range(SEEDS):
        rng = random.Random(seed)
        data = bytearray(rng.choice(models))
        for _ in range(rng.randint(1, 4)):
            start, length = rng.randrange(len(data)), rng.randrange(1, 40)
            piece = bytes(data[start : start + length])
            at = rng.randrange(len(data))
            match rng.randrange(5):
                case 0:
                    data[at:at] = piece
                case 1:
                    data[at : at + length] = piece
                case 2:
                    del data[start : start + length]
                case 3:
                    data[at : at + rng.randrange(3)] = rng.choice(_NASTY)
                case _:
                    other = rng.choice(models)
                    data[at : at + length] = other[start : start + length]
            data = data or bytearray(b"\x08")
        yield Case("splices", f"seed {seed}", bytes(data), verify=seed % 16 == 0)
