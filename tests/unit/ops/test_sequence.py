"""Sequences and optional values."""

from __future__ import annotations

import numpy as np

from gopt.ir import OptionalType, SequenceType, Symbol, TensorType, Type
from gopt.ops.sequence import common

from .making import BOOL, F32, I64, ints, make, typed, types

N, M = Symbol("n"), Symbol("m")


def elem(*of: Type) -> Type | None:
    """The element type of a sequence of these."""
    found = types(make("SequenceConstruct", *of))[0]
    assert found is None or isinstance(found, SequenceType)
    return None if found is None else found.elem


def test_elements_have_in_common_what_all_have() -> None:
    assert elem(typed(N, 3), typed(N, 3)) == typed(N, 3)
    mixed = elem(typed(N, 3), typed(M, 3))
    assert isinstance(mixed, TensorType)
    assert mixed.shape is not None
    assert mixed.shape[0] not in (N, M)
    assert mixed.shape[1] == 3
    assert elem(typed(2), typed(2, 3)) == TensorType(F32)
    assert common([typed(2), typed(2, dtype=I64)]) is None


def test_two_elements_taken_out_do_not_look_alike() -> None:
    sequence = SequenceType(TensorType(F32, (N, 3)))
    a, b = (types(make("SequenceAt", sequence, np.array(k)))[0] for k in range(2))
    assert isinstance(a, TensorType)
    assert isinstance(b, TensorType)
    assert a.shape is not None
    assert a.shape[1] == 3
    assert a != b


def test_insert_erase_length_empty() -> None:
    sequence = SequenceType(typed(2, 3))
    assert types(make("SequenceInsert", sequence, typed(2, 3))) == [sequence]
    assert types(make("SequenceErase", sequence)) == [sequence]
    assert types(make("SequenceLength", sequence)) == [TensorType(I64, ())]
    assert types(make("SequenceEmpty", dtype=7)) == [SequenceType(TensorType(I64))]
    assert types(make("SequenceEmpty")) == [SequenceType(TensorType(F32))]
    assert types(make("SequenceInsert", SequenceType(TensorType(F32)), typed(2))) == [SequenceType(TensorType(F32))]


def test_split_to_sequence() -> None:
    assert types(make("SplitToSequence", typed(N, 6), axis=1)) == [SequenceType(typed(N, 1))]
    assert types(make("SplitToSequence", typed(N, 6), axis=1, keepdims=0)) == [SequenceType(typed(N))]
    assert types(make("SplitToSequence", typed(N, 6), np.array(2), axis=1)) == [SequenceType(typed(N, 2))]
    assert types(make("SplitToSequence", typed(N, 6), ints(3, 3), axis=1)) == [SequenceType(typed(N, 3))]
    for split in (np.array(4), ints(2, 4)):
        found = types(make("SplitToSequence", typed(N, 6), split, axis=1))[0]
        assert isinstance(found, SequenceType)
        assert isinstance(found.elem, TensorType)
        assert found.elem.shape is not None
        assert isinstance(found.elem.shape[1], Symbol)


def test_concat_from_sequence() -> None:
    found = types(make("ConcatFromSequence", SequenceType(typed(2, 3)), axis=1))[0]
    assert isinstance(found, TensorType)
    assert found.shape is not None
    assert found.shape[0] == 2
    assert isinstance(found.shape[1], Symbol)
    found = types(make("ConcatFromSequence", SequenceType(typed(2, 3)), axis=-1, new_axis=1))[0]
    assert isinstance(found, TensorType)
    assert found.rank == 3


def test_optional_values() -> None:
    x = typed(N, 3)
    assert types(make("Optional", x)) == [OptionalType(x)]
    assert types(make("OptionalGetElement", OptionalType(x))) == [x]
    assert types(make("OptionalGetElement", x, opset=18)) == [x]
    assert types(make("OptionalHasElement", OptionalType(x))) == [TensorType(BOOL, ())]
