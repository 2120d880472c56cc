"""Presets: pipelines with a name, written `@name` wherever a pass may stand."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import UsageError


@dataclass(frozen=True)
class Preset:
    """A named pipeline.

    Attributes:
        name: without the @.
        text: what it stands for.
        help: one line.
    """

    name: str
    text: str
    help: str


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("default", "(inline,fold,clean,layout,fuse)*", "what `gopt run` does when not told otherwise"),
        Preset("tensorrt", "@default,lower,(fold,clean)*", "for NVIDIA TensorRT: what its parsers and builders take"),
        Preset(
            "rknn",
            "inline.functions,opset.downgrade:to=19,@default,lower,"
            "(fold,clean,inline.loops:unroll=500,lower.loops)*,npu,(fold,clean)*,npu.results",
            "for Rockchip NPUs: what rknn-toolkit2 takes and keeps on the NPU",
        ),
        Preset("ort", "opset.upgrade:to=21,@default", "for ONNX Runtime 1.18 or newer; stays portable ONNX"),
    )
}


def preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        UsageError: there is none.
    """
    found = PRESETS.get(name)
    if found is None:
        close = get_close_matches(name, list(PRESETS), n=1)
        hint = f"did you mean @{close[0]}?" if close else f"there are {', '.join('@' + p for p in PRESETS)}"
        raise UsageError(f"there is no preset @{name}; {hint}")
    return found
