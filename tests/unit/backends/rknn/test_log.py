"""What a log of the toolkit tells."""

from __future__ import annotations

import pytest

from gopt.backends.rknn.log import read, read_analysis

from .fake import LOG


def test_a_recorded_log() -> None:
    found = read(LOG.read_text(encoding="utf-8"))
    assert [(layer.type, layer.target) for layer in found.layers] == [
        ("Reshape", "NPU"),
        ("ConvRelu", "NPU"),
        ("ConvRelu", "NPU"),
        ("ConvSigmoid", "NPU"),
        ("Reshape", "CPU"),
    ]
    layer = found.layers[1]
    assert (layer.ddr, layer.npu, layer.total, layer.kilobytes) == (16786, 6144, 16786, 387)
    assert (layer.name, layer.outputs) == ("Conv:Gemm_1#2", "(1,128,1,1)")
    assert found.cycles == 18279
    assert found.memory == {"internal": 9 * 1024, "weight": int(419.438 * 1024)}
    assert found.risks == []
    assert found.no_kernel == []


def test_ops_without_a_kernel_are_told_once() -> None:
    found = read("E RKNN: [10:00:00.000] No lowering found for: Mish\n" * 2)
    assert found.no_kernel == ["Mish"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("No lowering found for: Mish\n", "Mish"),
        ('E RKNN: [10:00:00.000] No lowering found for: (name="/m/Mish_1"), node type = Mish\n', "Mish"),
        ('\x1b[31mE RKNN: [10:00:00.000] No lowering found for: (name="m")\x1b[0m\nnode type = Mish\n', "Mish"),
        ("W RKNN: [10:00:00.000] Failed to lowering: Mish, use CustomOperatorLower instead.\n", "Mish"),
    ],
)
def test_a_complaint_of_the_compiler_names_the_type(text: str, found: str) -> None:
    # The pieces are those that the compiler (librknnc 2.5.0) holds; how it puts them together differs.
    assert read(text).no_kernel == [found]
    assert read("D RKNN: [10:00:00.000] <<<<<<<< end: OpEmit\n" + text).summary()["no_kernel"] == [found]


def test_a_narrow_register_is_a_risk_and_a_cpu_layer_is_none() -> None:
    text = "E RKNN: [10:00:00.000] REGTASK: The bit width of field value exceeds the limit\n" * 3
    text += "E RKNN: [10:00:00.000] Unkown op target: 0\n"
    found = read(text)
    assert [(r.weight, r.count) for r in found.remarks] == [("risk", 3), ("benign", 1)]
    assert found.summary()["risks"] == 3


def test_the_last_table_counts() -> None:
    row = "D RKNN: [10:00:00.000] 0    {}    FLOAT16  NPU    (1,2)    (1,2)    1/2/2    3    {}:a\n"
    rule = "D RKNN: [10:00:00.000] ----\n"
    head = "D RKNN: [10:00:00.000]   Network Layer Information Table\n"
    table = head + rule + "D RKNN: [10:00:00.000] ID   OpType ...\n" + rule
    text = table + row.format("Relu", "Relu") + rule + table + row.format("Conv", "Conv") + rule
    assert [layer.type for layer in read(text).layers] == ["Conv"]


def test_rows_without_cycles_and_with_spaces_in_names() -> None:
    rule, head = "----\n", "Network Layer Information Table\n"
    text = head + rule + "ID OpType\n" + rule + "7 Relu INT8 NPU (1,2) (1,2) 0 Relu:a node of words\n" + rule
    (layer,) = read(text).layers
    assert (layer.number, layer.total, layer.name) == (7, 0, "Relu:a node of words")


def test_an_empty_log() -> None:
    assert read("").summary()["layers_npu"] == 0


def test_the_comparison_layer_by_layer() -> None:
    text = """layer_name                                simulator_error
[Input] onnx::Flatten_0          1.00000 | 0.00000   1.00000 | 0.00000
[Reshape] a name of words        0.99871 | 0.00414   nan | 0.00014
"""
    first, second = read_analysis(text)
    assert (first["layer"], first["type"], first["cosine"]) == ("onnx::Flatten_0", "Input", 1.0)
    assert (second["layer"], second["cosine"], second["cosine_alone"]) == ("a name of words", 0.99871, None)
