"""Models that are small, or of a size that exists, and cost much to whoever is careless."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

from gopt.frontends.wire import bytes_field, string_field

from .case import Case, info, model_of, node, weight

INT64 = TensorProto.INT64


def function_bomb(levels: int = 60) -> onnx.ModelProto:
    """Functions that call the next one twice: 2^60 ops when inlined."""
    functions = []
    for level in range(levels):
        inner = "Relu" if level == levels - 1 else f"F{level + 1}"
        domain = "" if level == levels - 1 else "f"
        body = [helper.make_node(inner, [a], [b], domain=domain) for a, b in (("a", "t"), ("t", "b"))]
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]
        functions.append(helper.make_function("f", f"F{level}", ["a"], ["b"], body, imports))
    return model_of([helper.make_node("F0", ["x"], ["y"], domain="f")], functions=functions)


def paths(levels: int = 60, kind: str = "Add") -> onnx.ModelProto:
    """Each value is both operands of the next op: 2^60 paths."""
    nodes = [node(kind, f"v{k} v{k}" if k else "x x", f"v{k + 1}") for k in range(levels)]
    return model_of([*nodes, node("Relu", f"v{levels}", "y")])


def loop_bomb(levels: int = 8) -> onnx.ModelProto:
    """Loops inside loops with large constant trip counts."""
    inner = [node("Add", "s0 x", "r0")]
    for level in range(levels):
        ends = [info(f"i{level}", [], INT64), info(f"c{level}", [], TensorProto.BOOL), info(f"s{level}")]
        body = helper.make_graph(
            [node("Identity", f"c{level}", f"d{level}"), *inner],
            f"b{level}",
            ends,
            [info(f"d{level}", [], TensorProto.BOOL), info(f"r{level}")],
        )
        source = "x" if level == levels - 1 else f"s{level + 1}"
        target = "y" if level == levels - 1 else f"r{level + 1}"
        inner = [node("Loop", f"trips true {source}", target, body=body)]
    return model_of(inner, weights=[weight("trips", 1 << 20, np.int64), weight("true", True, np.bool_)])


def shape_chain(kind: str, length: int) -> onnx.ModelProto:
    """Arithmetic on the sizes of the input, `length` ops long, that ends as the target of a reshape."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "n"),
        node("Gather", "shape one", "m"),
        node("Add", "n m", "v0"),
    ]
    for k in range(length):
        before, after = f"v{k}", f"v{k + 1}"
        if kind == "squares":
            nodes.append(node("Mul", f"{before} {before}", after))
        elif kind == "products of sums":
            nodes += [node("Add", f"{before} n", f"p{k}"), node("Mul", f"{before} p{k}", after)]
        elif kind == "extremes":
            nodes += [node("Min", f"{before} m", f"p{k}"), node("Add", f"p{k} n", f"q{k}")]
            nodes.append(node("Max", f"q{k} {before}", after))
        elif kind == "wide extremes":
            nodes += [node("Mul", f"n c{k}", f"p{k}"), node("Sub", f"p{k} m", f"q{k}")]
            nodes.append(node("Max", f"{before} q{k}", after))
        elif kind == "quotients":
            nodes += [node("Mul", f"{before} three", f"p{k}"), node("Add", f"p{k} {before}", f"q{k}")]
            nodes.append(node("Div", f"q{k} seven", after))
        elif kind == "rests":
            nodes += [node("Mod", f"{before} seven", f"p{k}"), node("Mul", f"p{k} {before}", f"q{k}")]
            nodes.append(node("Add", f"q{k} n", after))
        elif kind == "symbolic quotients":
            nodes += [node("Mul", f"{before} m", f"p{k}"), node("Add", f"p{k} {before}", f"q{k}")]
            nodes.append(node("Div", f"q{k} n", after))
        else:
            nodes.append(node("Mul", f"{before} big", after))
    nodes += [node("Reshape", f"v{length} minus", "target"), node("Reshape", "x target", "y")]
    weights = [weight(n, v, np.int64) for n, v in (("zero", 0), ("one", 1), ("three", 3), ("seven", 7))]
    weights += [weight("big", 2**62, np.int64), weight("minus", [-1], np.int64)]
    if kind == "wide extremes":
        weights += [weight(f"c{k}", k + 2, np.int64) for k in range(length)]
    return model_of(nodes, [info("x", ["n", "m"])], [info("y", ["k"])], weights)


SHAPE_KINDS = (
    "squares",
    "products of sums",
    "extremes",
    "wide extremes",
    "quotients",
    "rests",
    "symbolic quotients",
    "huge factors",
)


def growing_concat(levels: int = 40) -> onnx.ModelProto:
    """Concats of a value with itself: 2^40 elements, of sizes that are known."""
    nodes = [node("Concat", f"v{k} v{k}" if k else "x x", f"v{k + 1}", axis=0) for k in range(levels)]
    return model_of([*nodes, node("ReduceSum", f"v{levels}", "y", keepdims=1)], outputs=[info("y", [1])])


def growing_symbols(levels: int = 40) -> onnx.ModelProto:
    """The same of a size that is not known, with convolution windows in between."""
    nodes = []
    for k in range(levels):
        nodes.append(node("MaxPool", f"v{k}" if k else "x", f"p{k}", kernel_shape=[3], strides=[2]))
        nodes.append(node("Concat", f"p{k} {f'v{k}' if k else 'x'} p{k}", f"v{k + 1}", axis=2))
    shape: list[int | str] = [1, 1, "n"]
    return model_of([*nodes, node("Relu", f"v{levels}", "y")], [info("x", shape)], [info("y", [1, 1, "k"])])


def huge_fill(kind: str = "ConstantOfShape") -> onnx.ModelProto:
    """A few bytes that stand for terabytes when evaluated."""
    sizes = weight("sizes", [1 << 20, 1 << 20], np.int64)
    if kind == "ConstantOfShape":
        nodes, weights = [node("ConstantOfShape", "sizes", "big")], [sizes]
    elif kind == "Expand":
        nodes, weights = [node("Expand", "w sizes", "big")], [sizes, weight("w", [1.0])]
    elif kind == "Tile":
        nodes, weights = [node("Tile", "w sizes", "big")], [sizes, weight("w", [[1.0]])]
    elif kind == "Range":
        nodes, weights = (
            [node("Range", "a b c", "big")],
            [weight(n, v, np.int64) for n, v in (("a", 0), ("b", 1 << 60), ("c", 1))],
        )
    elif kind == "Pad":
        nodes, weights = [node("Pad", "w sizes", "big")], [sizes, weight("w", [1.0])]
    else:
        nodes = [node("Cast", "w", "i", to=INT64), node("OneHot", "i depth v", "big")]
        weights = [weight("w", [1.0]), weight("depth", 1 << 40, np.int64), weight("v", [0, 1])]
    kept = {"Range": "b", "OneHot": "depth"}.get(kind, "sizes")
    nodes += [node("Size", "big", "s"), node("Cast", "s", "f", to=1), node("Add", "x f", "y")]
    assert kept in {w.name for w in weights}
    return model_of(nodes, weights=weights)


def slow_constant(kind: str) -> onnx.ModelProto:
    """Constants of a moderate size on which an operator takes hours."""
    ones = node("ConstantOfShape", "sizes", "big", value=weight("v", [1.0]))
    if kind == "MatMul":
        nodes, sizes = [ones, node("MatMul", "big big", "r")], [4000, 4000]
    elif kind == "Conv":
        nodes, sizes = [ones, node("Conv", "big big", "r", pads=[200, 200, 200, 200])], [8, 8, 300, 300]
    elif kind == "NonMaxSuppression":
        nodes = [ones, node("ConstantOfShape", "scores", "sc"), node("NonMaxSuppression", "big sc most", "r64")]
        nodes.append(node("Cast", "r64", "r", to=1))
        sizes = [1, 20000, 4]
    elif kind == "Einsum":
        nodes, sizes = [ones, node("Einsum", "big big big", "r", equation="ab,cd,ef->")], [1000, 1000]
    elif kind == "Resize":
        nodes, sizes = [ones, node("Resize", "big  scales", "r")], [1, 1, 100, 100]
        nodes[1] = helper.make_node("Resize", ["big", "", "scales"], ["r"], mode="cubic")
    else:
        nodes, sizes = [ones, node("DFT", "big", "r")], [1, 1 << 20, 1]
    nodes += [node("ReduceSum", "r", "s", keepdims=0), node("Add", "x s", "y")]
    weights = [weight("sizes", sizes, np.int64)]
    if kind == "Resize":
        weights.append(weight("scales", [1, 1, 1000, 1000]))
    if kind == "NonMaxSuppression":
        weights += [weight("scores", [1, 1, 20000], np.int64), weight("most", [20000], np.int64)]
    return model_of(nodes, weights=weights)


def long_chain(ops: int, kinds: tuple[str, ...]) -> onnx.ModelProto:
    """A chain of cheap ops in turn."""
    nodes = [node(kinds[k % len(kinds)], f"v{k}" if k else "x", f"v{k + 1}") for k in range(ops)]
    return model_of([*nodes, node("Relu", f"v{ops}", "y")])


def transposes(count: int) -> onnx.ModelProto:
    """Transposes and ops that they might move through, with branches that disagree."""
    nodes = []
    for k in range(count):
        before = f"v{k}" if k else "x"
        perm = [(1, 2, 0), (2, 1, 0), (0, 2, 1)][k % 3]
        nodes.append(node("Transpose", before, f"t{k}", perm=perm))
        nodes.append(node("Relu" if k % 2 else "Neg", f"t{k}", f"r{k}"))
        nodes.append(node("Add", f"r{k} t{k}", f"v{k + 1}"))
    shape: list[int | str] = [2, 2, 2]
    return model_of([*nodes, node("Relu", f"v{count}", "y")], [info("x", shape)], [info("y", shape)])


def wide_concat(count: int) -> onnx.ModelProto:
    """One value sliced into many, all put together again and split once more."""
    nodes = [node("Split", "x", " ".join(f"s{k}" for k in range(count)), axis=0, num_outputs=count)]
    nodes += [node("Relu", f"s{k}", f"r{k}") for k in range(count)]
    nodes.append(node("Concat", " ".join(f"r{k}" for k in range(count)), "c", axis=0))
    nodes.append(node("Split", "c", " ".join(f"t{k}" for k in range(count)), axis=0, num_outputs=count))
    nodes.append(node("Concat", " ".join(f"t{k}" for k in reversed(range(count))), "y", axis=0))
    return model_of(nodes, [info("x", [count])], [info("y", [count])])


def fanout(count: int) -> onnx.ModelProto:
    """One value with many users, all summed."""
    nodes = [node("Relu", "x", "r"), *(node("Mul", f"r w{k % 7}", f"m{k}") for k in range(count))]
    nodes.append(node("Sum", " ".join(f"m{k}" for k in range(count)), "y"))
    return model_of(nodes, weights=[weight(f"w{k}", [k + 2.0, k + 3.0]) for k in range(7)])


def operands(count: int) -> onnx.ModelProto:
    """One value as all operands of one node; it is replaced twice."""
    nodes = [node("Relu", "x", "r"), node("Identity", "r", "i"), node("Identity", "i", "j")]
    return model_of([*nodes, node("Sum", " ".join(["j"] * count), "y")])


def copies(count: int) -> onnx.ModelProto:
    """One value copied many times, and all copies summed: as many replacements in one node."""
    nodes = [node("Relu", "x", "r"), *(node("Identity", "r", f"m{k}") for k in range(count))]
    return model_of([*nodes, node("Sum", " ".join(f"m{k}" for k in range(count)), "y")])


def nested(depth: int) -> bytes:
    """Bodies inside bodies, made as bytes: protobuf itself does not take as many."""
    type_ = info("r").SerializeToString()
    graph = bytes_field(1, node("Relu", "x", "r").SerializeToString()) + bytes_field(12, type_)
    for _ in range(depth):
        attribute = b"".join(
            bytes_field(5, string_field(1, name) + bytes_field(6, graph if first else _LEAF) + b"\xa0\x01\x05")
            for name, first in (("then_branch", True), ("else_branch", False))
        )
        inner = string_field(1, "p") + string_field(2, "r") + string_field(4, "If") + attribute
        graph = bytes_field(1, inner) + bytes_field(12, type_)
    ends = bytes_field(11, info("x").SerializeToString())
    ends += bytes_field(11, info("p", [], TensorProto.BOOL).SerializeToString())
    return b"\x08\x0a" + bytes_field(7, graph + ends) + bytes_field(8, b"\x10\x15")


_LEAF = bytes_field(1, node("Relu", "x", "r").SerializeToString()) + bytes_field(12, info("r").SerializeToString())


def divides_the_smallest() -> onnx.ModelProto:
    """INT64_MIN / -1 traps in the processor: a runtime that computes it dies."""
    ends = [info("x", [1], INT64)], [info("y", [1], INT64)]
    nodes = [node("Mul", "x zero", "z"), node("Add", "z low", "a"), node("Div", "a minus", "y")]
    names = (("zero", 0), ("low", -(2**63)), ("minus", -1))
    return model_of(nodes, *ends, weights=[weight(n, [v], np.int64) for n, v in names])


def eats_memory() -> onnx.ModelProto:
    """A run takes far more memory than there is."""
    nodes = [node("Expand", "x sizes", "e"), node("Mul", "e e", "s"), node("ReduceSum", "s", "y", keepdims=0)]
    return model_of(nodes, outputs=[info("y", [])], weights=[weight("sizes", [1 << 18, 1 << 18, 2], np.int64)])


def eats_time() -> onnx.ModelProto:
    """A run takes very long: the number of trips is an input's."""
    body = helper.make_graph(
        [node("Identity", "c", "d"), node("Add", "s one", "r")],
        "b",
        [info("i", [], INT64), info("c", [], TensorProto.BOOL), info("s")],
        [info("d", [], TensorProto.BOOL), info("r")],
    )
    nodes = [node("ReduceSum", "x", "t", keepdims=0), node("Cast", "t", "u", to=INT64), node("Mul", "u zero", "z")]
    nodes += [node("Add", "z big", "trips"), node("Loop", "trips  x", "y", body=body)]
    nodes[-1] = helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body)
    weights = [weight("zero", 0, np.int64), weight("big", 1 << 60, np.int64), weight("one", [1, 1])]
    return model_of(nodes, weights=weights)


SMALL: dict[str, Callable[[], onnx.ModelProto]] = {
    "functions that double": function_bomb,
    "2^60 paths by Add": paths,
    "2^60 paths by Mul": lambda: paths(kind="Mul"),
    "loops in loops": loop_bomb,
    "Concats that double": growing_concat,
    "Concats and windows": growing_symbols,
    "INT64_MIN / -1": divides_the_smallest,
    "a run that eats memory": eats_memory,
    "a run that eats time": eats_time,
}
FILLS = ("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "OneHot")
SLOW = ("MatMul", "Conv", "NonMaxSuppression", "Einsum", "Resize", "DFT")


def cases() -> Iterator[Case]:
    """All of them."""
    for name, make in SMALL.items():
        yield Case("bombs", name, make().SerializeToString(), accepted=True)
    for kind in FILLS:
        yield Case("bombs", f"{kind} of 2^40 elements", huge_fill(kind).SerializeToString(), verify=False)
    for kind in SLOW:
        yield Case("bombs", f"{kind} of constants", slow_constant(kind).SerializeToString(), verify=False)
    for kind in SHAPE_KINDS:
        for length in (20, 300):
            data = shape_chain(kind, length).SerializeToString()
            yield Case("shapes", f"{length} {kind}", data, accepted=True, verify=False)
    sizes = {
        "3000 Transposes": transposes(1000),
        "Concat of 2000": wide_concat(2000),
        "fan-out 3000": fanout(3000),
        "3000 operands of one node": operands(3000),
        "3000 copies of one value": copies(3000),
        "a chain of 4000 of one kind": long_chain(4000, ("Relu",)),
        "a chain of 4000 of several kinds": long_chain(4000, ("Neg", "Abs", "Identity", "Exp", "Relu")),
    }
    for name, proto in sizes.items():
        yield Case("large", name, proto.SerializeToString(), accepted=True, verify=False)
    yield Case("large", "32 bodies deep", nested(32), accepted=True)
    for depth in (33, 2000):
        yield Case("large", f"{depth} bodies deep", nested(depth), refused=True)
