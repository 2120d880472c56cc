"""Is a model valid by ONNX's own checker?"""

from __future__ import annotations


def invalid(data: bytes) -> str:
    """What `onnx.checker` has against a model, shapes included, in one line; "" if nothing."""
    import onnx
    import onnx.checker
    import onnx.shape_inference
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, DecodeError, RuntimeError) as error:
        return " ".join(str(error).split())[:300]
    return ""
