"""Write gopt/ops/schemas.json: what gopt needs of onnx's operator schemas, so that it need not import onnx to know it.

Per operator, all versions of it together:
    since     versions at which its schema changed; one at which the operator was deprecated stands in a list ([10])
    inputs    names of the newest schema; a suffix ? marks an optional, * a variadic one
    outputs   likewise
    attrs     name -> [kind, [version, default], ...] from the version on; [version] alone: it is gone from there on
    types     [version, mask, ...]: element types that each input may have from that version on, as a bit mask over
              TensorProto.DataType; 0 where something else than a tensor may stand
    vars      names of the inputs' type variables in the newest schema: inputs of one name have one type
    least     [version, number of inputs that must be there] from that version on
    many      [version, number of inputs that may be there] from that version on
    most      [version, number of outputs that may be there] from that version on
    need      [version, names of attributes that must be there] from that version on; no entry if there is none ever
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import onnx
from onnx import defs

TARGET = Path(__file__).resolve().parents[1] / "gopt" / "ops" / "schemas.json"
_TENSORS = {
    f"tensor({onnx.helper.tensor_dtype_to_string(n).removeprefix('TensorProto.').lower()})": n
    for n in onnx.TensorProto.DataType.values()
    if n
}
_SUFFIX = {defs.OpSchema.FormalParameterOption.Optional: "?", defs.OpSchema.FormalParameterOption.Variadic: "*"}


def table() -> dict[str, Any]:
    """The whole table; keys are "Conv" or "ai.onnx.ml::Scaler"."""
    history: dict[str, dict[int, defs.OpSchema]] = defaultdict(dict)
    for schema in defs.get_all_schemas_with_history():
        key = f"{schema.domain}::{schema.name}" if schema.domain else schema.name
        history[key][schema.since_version] = schema
    return {key: _operator(dict(sorted(versions.items()))) for key, versions in sorted(history.items())}


def _operator(versions: dict[int, defs.OpSchema]) -> dict[str, Any]:
    living = {v: s for v, s in versions.items() if not s.deprecated}
    newest = living[max(living)]
    return {
        "since": [v if v in living else [v] for v in versions],
        "inputs": [p.name + _SUFFIX.get(p.option, "") for p in newest.inputs],
        "outputs": [p.name + _SUFFIX.get(p.option, "") for p in newest.outputs],
        "attrs": {name: _attribute(name, living) for name in _names(living)},
        "types": _types(living),
        "vars": [p.type_str for p in newest.inputs],
        "least": _counts(living, "min_input"),
        "many": _counts(living, "max_input"),
        "most": _counts(living, "max_output"),
        **_required(living),
    }


def _names(versions: dict[int, defs.OpSchema]) -> list[str]:
    return sorted({name for schema in versions.values() for name in schema.attributes})


def _attribute(name: str, versions: dict[int, defs.OpSchema]) -> list[Any]:
    entries: list[Any] = []
    kind = 0
    for version, schema in versions.items():
        found = schema.attributes.get(name)
        if found is None:
            if entries and len(entries[-1]) == 2:
                entries.append([version])
            continue
        kind = int(found.type)
        default = _default(found)
        if not entries or len(entries[-1]) == 1 or entries[-1][1] != default:
            entries.append([version, default])
    return [kind, *entries]


def _default(attribute: defs.OpSchema.Attribute) -> Any:
    if not attribute.default_value.type:
        return None
    value = onnx.helper.get_attribute_value(attribute.default_value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, float)):
        return value
    return [v.decode() if isinstance(v, bytes) else v for v in value]


def _types(versions: dict[int, defs.OpSchema]) -> list[list[int]]:
    rows: list[list[int]] = []
    for version, schema in versions.items():
        row = [_mask(parameter) for parameter in schema.inputs]
        if not rows or rows[-1][1:] != row:
            rows.append([version, *row])
    return rows


def _counts(versions: dict[int, defs.OpSchema], what: str) -> list[list[int]]:
    rows: list[list[int]] = []
    for version, schema in versions.items():
        count = getattr(schema, what)
        if not rows or rows[-1][1] != count:
            rows.append([version, count])
    return rows


def _required(versions: dict[int, defs.OpSchema]) -> dict[str, list[Any]]:
    rows: list[Any] = []
    for version, schema in versions.items():
        names = sorted(name for name, attribute in schema.attributes.items() if attribute.required)
        if not rows or rows[-1][1] != names:
            rows.append([version, names])
    return {"need": rows} if any(names for _, names in rows) else {}


def _mask(parameter: defs.OpSchema.FormalParameter) -> int:
    if any(t not in _TENSORS for t in parameter.types):
        return 0
    return sum(1 << _TENSORS[t] for t in parameter.types)


def text() -> str:
    """The file's content: a line per operator."""
    lines = [f"{json.dumps(key)}: {json.dumps(entry, separators=(',', ':'))}" for key, entry in table().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
