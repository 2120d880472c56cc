"""What a schema forbids is said; what it allows, or does not speak of, is not."""

from __future__ import annotations

import pytest

from gopt.api import apply
from gopt.errors import ModelError
from gopt.frontends.text import parse
from gopt.ir import Attr, Op, Value
from gopt.ops import complaint


def op(op_type: str, operands: int, opset: int = 18, domain: str = "", **attrs: object) -> Op:
    made = Op(op_type, [Value(f"x{k}") for k in range(operands)], 1, {k: Attr.of(v) for k, v in attrs.items()}, domain)
    made.imports = {domain: opset}
    return made


@pytest.mark.parametrize(
    "made, says",
    [
        (op("Concat", 2), "no attribute 'axis'"),
        (op("Concat", 2, axis=1.0), "kind FLOAT, not INT"),
        (op("Conv", 1), "at least 2 operands, not 1"),
        (op("Relu", 2), "at most 1 operands, not 2"),
        (op("Squeeze", 2, opset=11), "at most 1 operands, not 2"),
        (op("Cast", 1, opset=13), "no attribute 'to'"),
    ],
    ids=str,
)
def test_what_no_runtime_takes(made: Op, says: str) -> None:
    assert says in complaint(made)


@pytest.mark.parametrize(
    "made",
    [
        op("Concat", 5, axis=0),
        op("Squeeze", 2, opset=13),
        op("Relu", 1, alpha=3),
        op("Relu", 7, opset=999),
        op("Relu", 7, domain="com.acme"),
        op("NoSuchOperator", 0),
        op("Cast", 1, opset=1, to="FLOAT"),
    ],
    ids=str,
)
def test_what_is_allowed_or_not_known(made: Op) -> None:
    assert complaint(made) == ""


def test_a_required_operand_may_not_be_omitted_but_an_optional_one() -> None:
    made = op("Range", 3)
    made.inputs = (made.inputs[0], made.inputs[1], None)
    assert complaint(made) == "operand 2 is omitted"
    resize = op("Resize", 3, opset=11)  # the clause of version 11 has no optional roi, yet everybody omits it
    resize.inputs = (resize.inputs[0], None, resize.inputs[2])
    assert complaint(resize) == ""


def test_an_opset_of_the_future_is_refused() -> None:
    model = parse('<ir_version: 8, opset_import: ["" : 99]> g (float[2] x) => (float[2] y) { y = Relu(x) }')
    with pytest.raises(ModelError, match="opset 99 is newer than"):
        apply(model)


def test_a_pipeline_refuses_the_model_and_names_the_node() -> None:
    model = parse('<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { y = Concat(x) }')
    with pytest.raises(ModelError, match=r"Concat 'y': it has no attribute 'axis'"):
        apply(model)
