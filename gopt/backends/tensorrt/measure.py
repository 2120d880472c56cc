"""What the real builder takes of ONNX's own node tests: `python -m gopt.backends.tensorrt.measure -o measured.json`.

Needs `tensorrt-rtx`. Each node test is a model of one operator (or of the few that a function becomes). It is built as
it is and, if that fails and it has several inputs, with all but the first as constants: many operators want that. The
result, a summary per operator and element type, is what `gopt check` calls measured; printed is where the table and the
builder disagree.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from ...analysis import infer
from ...errors import GoptError
from ...frontends import onnx as frontend
from .builder import RTX, Builder
from .profiles import derive
from .target import TensorRTRTX

SECONDS = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the summary."""
    parser = argparse.ArgumentParser(description="Ask TensorRT's builder about ONNX's node tests.")
    parser.add_argument("-o", "--output", type=Path, help="where the summary goes")
    parser.add_argument("--full", type=Path, help="write what was found of each test here, a JSON object a line")
    parser.add_argument("--again", type=Path, help="take the results from such a file in place of building")
    parser.add_argument("--only", default="", help="tests whose names contain this")
    given = parser.parse_args(arguments)
    rows = list(_read(given.again) if given.again else measured(given.only, given.full))
    version = rows[0]["version"] if rows else ""
    if given.output:
        lines = [f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(summary(rows).items())]
        head = f'{{\n "version": {json.dumps(version)},\n "tests": {len(rows)},\n "operators": {{\n'
        given.output.write_text(head + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")
    print(json.dumps(agreement(rows)["counts"]))
    for name in agreement(rows)["missed"]:
        print(f"  missed: {name}")
    for name in agreement(rows)["wrong"]:
        print(f"  wrongly refused: {name}")
    return 0


def measured(only: str = "", full: Path | None = None) -> Iterator[dict[str, Any]]:
    """What the builder says of each node test."""
    folder = Path(onnx.__file__).parent / "backend/test/data/node"
    out = full.open("w", encoding="utf-8") if full else None
    with Builder(RTX) as asked, tempfile.TemporaryDirectory() as made:
        for path in sorted(folder.glob("*/model.onnx")):
            if only in path.parent.name:
                row = _test(asked, path, Path(made))
                if out:
                    print(json.dumps(row), file=out, flush=True)
                yield row
    if out:
        out.close()


def _test(asked: Builder, path: Path, made: Path) -> dict[str, Any]:
    proto = onnx.load(path)
    nodes = [n for n in proto.graph.node if n.op_type != "Constant"]
    row: dict[str, Any] = {
        "test": path.parent.name,
        "op": nodes[0].op_type if len({n.op_type for n in nodes}) == 1 else "",
        "domain": nodes[0].domain if nodes else "",
        "types": [_type(i) for i in proto.graph.input],
        "predicted": predicted(path),
        "forms": {},
    }
    values = _values(proto, path.parent / "test_data_set_0")
    forms = {"as it is": path}
    constant = _with_constants(proto, path.parent / "test_data_set_0", made / "constant.onnx")
    for form, file in forms.items():
        row["forms"][form] = _ask(asked, file, values)
    if row["forms"]["as it is"]["level"] != "built" and constant is not None:
        row["forms"]["constants"] = _ask(asked, constant, values) | {"predicted": predicted(constant)}
    row["version"] = asked.version
    return row


def _values(proto: Any, data: Path) -> dict[str, Any]:
    """The test's integer inputs: what they hold may be sizes."""
    found = {}
    for place, value in enumerate(proto.graph.input):
        file = data / f"input_{place}.pb"
        if value.type.HasField("tensor_type") and file.exists():
            tensor = onnx.TensorProto()
            tensor.ParseFromString(file.read_bytes())
            if tensor.data_type in (onnx.TensorProto.INT32, onnx.TensorProto.INT64) and len(tensor.dims) <= 1:
                elements = onnx.numpy_helper.to_array(tensor).reshape(-1).tolist()
                found[value.name] = [elements] * 3
    return found


def _ask(asked: Builder, file: Path, values: dict[str, Any]) -> dict[str, Any]:
    try:
        model = frontend.load(file)
        profile = derive(model, {})
        stages = asked.ask(file, "built", profile=profile.shapes, values=values, capability=("SM86",), timeout=SECONDS)
    except GoptError as error:
        return {"level": "", "error": str(error)}
    reached = [s.name for s in stages if s.ok]
    why = "" if stages[-1].ok else (stages[-1].errors or [{"text": ""}])[0]["text"]
    return {"level": reached[-1] if reached else "static", "error": why[:300]}


def predicted(path: Path) -> bool:
    """True if the table sees nothing in the way."""
    try:
        model = frontend.load(path)
        infer(model)
    except GoptError:
        return False
    return not TensorRTRTX().check(model)


def _with_constants(proto: Any, data: Path, target: Path) -> Path | None:
    """The same with all inputs but the first as constants; None if there is but one, or one is no tensor."""
    if len(proto.graph.input) < 2:
        return None
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    for place in range(len(proto.graph.input) - 1, 0, -1):
        value = proto.graph.input[place]
        file = data / f"input_{place}.pb"
        if not value.type.HasField("tensor_type") or not file.exists():
            return None
        tensor = onnx.TensorProto()
        tensor.ParseFromString(file.read_bytes())
        tensor.name = value.name
        changed.graph.initializer.append(tensor)
        del changed.graph.input[place]
    onnx.save(changed, target)
    return target


def _type(value: Any) -> str:
    kind = value.type.WhichOneof("value")
    return onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type) if kind == "tensor_type" else str(kind)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file that `--full` wrote, with what the table foresees now."""
    folder = Path(onnx.__file__).parent / "backend/test/data/node"
    with tempfile.TemporaryDirectory() as made:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            model = folder / row["test"] / "model.onnx"
            row["predicted"] = predicted(model)
            if "constants" in row["forms"]:
                constant = _with_constants(
                    onnx.load(model), model.parent / "test_data_set_0", Path(made) / "constant.onnx"
                )
                row["forms"]["constants"]["predicted"] = constant is not None and predicted(constant)
            yield row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per operator and type of the first operand: how many tests were built as they are, with constants, not at all."""
    found: dict[str, Any] = {}
    for row in rows:
        if not row["op"]:
            continue
        name = f"{row['domain']}::{row['op']}" if row["domain"] else row["op"]
        entry = found.setdefault(name, {}).setdefault(row["types"][0] if row["types"] else "none", [0, 0, 0])
        levels = {form: result["level"] for form, result in row["forms"].items()}
        entry[0 if levels["as it is"] == "built" else 1 if levels.get("constants") == "built" else 2] += 1
    return found


def agreement(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How well the table predicts what the builder refuses."""
    counts = {"refused by both": 0, "taken by both": 0, "missed": 0, "wrongly refused": 0}
    missed, wrong = [], []
    for row in rows:
        for form, result in row["forms"].items():
            taken = result["level"] == "built"
            foreseen = result.get("predicted", row["predicted"])
            label = f"{row['test']} ({form}): {result['error']}"
            if taken == foreseen:
                counts["taken by both" if taken else "refused by both"] += 1
            elif taken:
                counts["wrongly refused"] += 1
                wrong.append(label)
            else:
                counts["missed"] += 1
                missed.append(label)
    refused = counts["refused by both"]
    total = {
        **counts,
        "recall": round(refused / max(1, refused + counts["missed"]), 4),
        "precision": round(refused / max(1, refused + counts["wrongly refused"]), 4),
    }
    return {"counts": total, "missed": missed, "wrong": wrong}


if __name__ == "__main__":
    sys.exit(main())
