"""A script for onnx-graphsurgeon, run as a gopt pass.

    gopt run --passes bridge.graphsurgeon:script=examples/graphsurgeon_script.py:drop_copies,@default model.onnx

Any function that takes a `gs.Graph` will do, also one written long before gopt: it changes the graph in place, or
returns another one. It needs onnx-graphsurgeon: pip install 'gopt-onnx[graphsurgeon]'. What it does is verified like
everything else.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

COPIES = ("Dropout", "Identity")


def drop_copies(graph: gs.Graph) -> None:
    """Take out the nodes that copy their first input, but not where they make an output of the model."""
    for node in graph.nodes:
        if node.op not in COPIES or any(output in graph.outputs for output in node.outputs):
            continue
        source, copy = node.inputs[0], node.outputs[0]
        for user in list(copy.outputs):
            user.inputs = [source if tensor is copy else tensor for tensor in user.inputs]
    graph.cleanup().toposort()
