"""Rules and passes of `layout` but for those of Transposes: each where it applies, and where a guard keeps it away."""

from __future__ import annotations

import onnx
import pytest

import gopt
from gopt.frontends.text import parse
from gopt.passes.registry import REGISTRY
from gopt.rewrite import Numerics, Rule

from ..clean.rewriting import rewrite

FILES = (
    "turned",
    "reshape",
    "reduce",
    "gather",
    "slices",
    "concat",
    "alike",
    "focus",
    "split",
    "expand",
    "repeat",
    "pads",
    "broadcast",
    "across",
    "products",
    "sequences",
)
RULES = [rule for file in FILES for rule in REGISTRY.find(f"layout.{file}") if isinstance(rule, Rule)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_example_of_a_rule_fires(rule: Rule) -> None:
    done = rewrite(rule.example, rule.name)
    assert f"layout.{done.fired[0]}" == rule.name
    assert len(done.ops) <= len(onnx.parser.parse_model(rule.example).graph.node)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_does_and_when(rule: Rule) -> None:
    equation, _, rest = rule.doc.partition("\n")
    assert "->" in equation
    assert rest.strip()


def axes(**lists: str) -> str:
    """Constants: int64 lists by name."""
    return "<" + ", ".join(f"int64[{len(v.split())}] {k} = {{{', '.join(v.split())}}}" for k, v in lists.items()) + ">"


N = "(float[N,4,6] x)"
NM = "(float[N,M,6] x)"
END = str(2**63 - 1)

# By the rule that is applied: the graph, and the ops that are left.
FIRES = {
    # -- reshape --
    "chain: Unsqueezes": (
        "reshape.chain",
        f"{NM} => (float y) {axes(a='1', b='0 3')} {{ p = Unsqueeze(x, a) y = Unsqueeze(p, b) }}",
        ["Unsqueeze"],
    ),
    "chain: Unsqueezes, axes from the end": (
        "reshape.chain",
        f"{NM} => (float y) {axes(a='-1', b='-2')} {{ p = Unsqueeze(x, a) y = Unsqueeze(p, b) }}",
        ["Unsqueeze"],
    ),
    "chain: Squeezes": (
        "reshape.chain",
        f"(float[1,N,1,M,1] x) => (float y) {axes(a='0 4', b='1')} {{ p = Squeeze(x, a) y = Squeeze(p, b) }}",
        ["Squeeze"],
    ),
    "chain: Squeezes of all": (
        "reshape.chain",
        f"(float[1,3,1,5,1] x) => (float y) {axes(a='0 4')} {{ p = Squeeze(x, a) y = Squeeze(p) }}",
        ["Squeeze"],
    ),
    "chain: Flatten of Unsqueeze": (
        "reshape.chain",
        f"{N} => (float y) {axes(a='1')} {{ p = Unsqueeze(x, a) y = Flatten<axis = 2>(p) }}",
        ["Reshape"],
    ),
    "chain: the first one stays": (
        "reshape.chain",
        f"{N} => (float y, float z) {axes(a='1', b='0')} {{ p = Unsqueeze(x, a) y = Unsqueeze(p, b) z = Exp(p) }}",
        ["Unsqueeze", "Unsqueeze", "Exp"],
    ),
    "chain: a Reshape that is a Squeeze": (
        "reshape.chain",
        f"(float[N,1,6] x) => (float y) {axes(a='0 1 2 3', b='0 6')} {{ p = Reshape(x, a) y = Reshape(p, b) }}",
        ["Squeeze"],
    ),
    "to computed": (
        "reshape.to_computed",
        f"{NM[:-1]}, float[N,M,6] z) => (float y) {axes(a='-1')} "
        f"{{ p = Reshape(x, a) s = Shape(z) y = Reshape(p, s) }}",
        ["Shape", "Reshape"],
    ),
    # -- reduce --
    "keepdims: dropped": (
        "reduce.keepdims",
        f"{N} => (float y) {axes(a='1 2')} {{ p = ReduceMean(x, a) y = Squeeze(p, a) }}",
        ["ReduceMean"],
    ),
    "keepdims: put back": (
        "reduce.keepdims",
        f"{N} => (float y) {axes(a='-1')} {{ p = ReduceMax<keepdims = 0>(x, a) y = Unsqueeze(p, a) }}",
        ["ReduceMax"],
    ),
    "keepdims: Flatten": (
        "reduce.keepdims",
        f"(float[N,4,6,6] x) => (float y) {axes(a='2 3')} {{ p = ReduceMean(x, a) y = Flatten(p) }}",
        ["ReduceMean"],
    ),
    "keepdims: ArgMax": (
        "reduce.keepdims",
        f"{N} => (int64 y) {axes(a='1')} {{ p = ArgMax<axis = 1>(x) y = Squeeze(p, a) }}",
        ["ArgMax"],
    ),
    "keepdims: over all axes": (
        "reduce.keepdims",
        f"{N} => (float y) {axes(a='0 1 2')} {{ p = ReduceSum(x) y = Squeeze(p, a) }}",
        ["ReduceSum"],
    ),
    "extremes": (
        "reduce.extremes",
        f"{N} => (float y) {axes(a='1')} {{ p = ReduceMin<keepdims = 0>(x, a) y = ReduceMin<keepdims = 0>(p, a) }}",
        ["ReduceMin"],
    ),
    "sums": (
        "reduce.sums",
        f"{N} => (float y) {axes(a='1', b='0 2')} {{ p = ReduceSum(x, a) y = ReduceSum(p, b) }}",
        ["ReduceSum"],
    ),
    # -- gather --
    "one index: a list": (
        "gather.one_index",
        f"{N} => (float y) <int64[1] a = {{1}}, int64 i = {{-1}}> {{ p = Gather<axis = 1>(x, i) y = Unsqueeze(p, a) }}",
        ["Gather"],
    ),
    "one index: no list": (
        "gather.one_index",
        f"{N} => (float y) {axes(a='-1', i='2')} {{ p = Gather<axis = -1>(x, i) y = Squeeze(p, a) }}",
        ["Gather"],
    ),
    "one index: Reshape of a dim": (
        "gather.one_index",
        "(float[N,M] x) => (int64 y) <int64[1] a = {-1}, int64 i = {1}> "
        "{ s = Shape(x) p = Gather(s, i) y = Reshape(p, a) }",
        ["Shape", "Gather"],
    ),
    "one slice": (
        "gather.one_slice",
        f"{N} => (float y) {axes(a='1', i='-1', e=END)} {{ p = Slice(x, i, e, a) y = Squeeze(p, a) }}",
        ["Gather"],
    ),
    "of a Gather": (
        "gather.of_gather",
        f"{N} => (float y) {axes(i='3 1 2', j='-1 0')} {{ p = Gather<axis = 1>(x, i) y = Gather<axis = 1>(p, j) }}",
        ["Gather"],
    ),
    "of a Slice": (
        "gather.of_slice",
        f"{N} => (float y) {axes(a='1', i='1', e='3', j='-1 0')} "
        f"{{ p = Slice(x, i, e, a) y = Gather<axis = 1>(p, j) }}",
        ["Gather"],
    ),
    "of a Concat, from the end": (
        "gather.of_concat",
        "(float[N,3] a, float[M,3] b, float[2,3] c) => (float y) <int64 i = {-2}> "
        "{ p = Concat<axis = 0>(a, b, c) y = Gather(p, i) }",
        ["Gather"],
    ),
    "everything": (
        "gather.everything",
        f"{N} => (float y) {axes(i='0 -3 2 3')} {{ p = Gather<axis = 1>(x, i) y = Neg(p) }}",
        ["Neg"],
    ),
    "of a shape": (
        "gather.of_shape",
        f"{NM} => (int64 y) {axes(i='1 2')} {{ s = Shape(x) y = Gather(s, i) }}",
        ["Shape"],
    ),
    "all counted: along two axes": (
        "counted.everything",
        "(bool[N,M] x) => (bool y) <int64 i = {0}, int64 j = {1}, int64[1] o = {1}, int64[1] f = {-1}> "
        "{ s = Shape(x) n = Gather(s, i) m = Gather(s, j) r = Range(i, n, j) t = Range(i, m, j) u = Unsqueeze(r, o) "
        "v = Mul(m, u) w = Add(v, t) a = Reshape(x, f) b = Gather(a, w) y = Not(b) }",
        ["Not"],
    ),
    "all counted: from a constant": (
        "counted.everything",
        "(float[6,M] x, float[2] z) => (float y) <int64 i = {0}, int64 j = {1}, int64[2,1] c = {0, 3}, int64 k = {3}> "
        "{ r = Range(i, k, j) w = Add(c, r) y = Gather(x, w) }",
        ["Reshape"],
    ),
    # -- slices --
    "merge: two axes": (
        "slices.merge",
        f"{N} => (float y) {axes(a='1', b='-1', i='1', e='-1')} {{ p = Slice(x, i, e, a) y = Slice(p, i, e, b) }}",
        ["Slice"],
    ),
    "merge: one axis backwards": (
        "slices.merge",
        f"{N} => (float y) {axes(a='2', i='1', e='6', j='-1', f='-9', s='-1')} "
        "{ p = Slice(x, i, e, a) y = Slice(p, j, f, a, s) }",
        ["Slice"],
    ),
    "merge: one axis down to the first": (
        "slices.merge",
        f"{N} => (float y) {axes(a='2', i='0', e='3', j='-1', f='-9', s='-1')} "
        "{ p = Slice(x, i, e, a) y = Slice(p, j, f, a, s) }",
        ["Slice"],
    ),
    "merge: an axis of unknown size": (
        "slices.merge",
        f"{N} => (float y) {axes(a='0', i='1', e=END, f='2')} {{ p = Slice(x, i, e, a) y = Slice(p, i, f, a) }}",
        ["Slice"],
    ),
    "merge: to an end that counts from the end": (
        "slices.merge",
        f"{N} => (float y) {axes(a='0', i='1', e='-1', f=END)} {{ p = Slice(x, i, e, a) y = Slice(p, i, f, a) }}",
        ["Slice"],
    ),
    "of a Concat: an operand": (
        "slices.of_concat",
        f"(float[N,2] a, float[N,3] b) => (float y) {axes(a_='1', i='2', e='5')} "
        "{ c = Concat<axis = 1>(a, b) d = Slice(c, i, e, a_) y = Neg(d) }",
        ["Neg"],
    ),
    "of a Concat: the end of the last operand": (
        "slices.of_concat",
        f"(float[2,3] a, float[N,3] b) => (float y) {axes(i='3', e=END)} "
        f"{{ c = Concat<axis = 0>(a, b) y = Slice(c, i, e) }}",
        ["Slice"],
    ),
    "of a Concat: from the end, and another axis": (
        "slices.of_concat",
        f"(float[N,3] a, float[4,3] b) => (float y) {axes(i='-3 1', e='-1 2')} "
        "{ c = Concat<axis = 0>(a, b) y = Slice(c, i, e) }",
        ["Slice"],
    ),
    # -- concat --
    "flatten: any operand": (
        "concat.flatten",
        "(float[N,2] a, float[N,3] b) => (float y) "
        "{ c = Concat<axis = 1>(a, b) d = Concat<axis = -1>(b, a) y = Concat<axis = 1>(c, b, d) }",
        ["Concat"],
    ),
    "side by side: Slices of an unknown size": (
        "concat.side_by_side",
        f"{N} => (float y) {axes(o='0', i='2', e=END)} "
        "{ p = Slice(x, o, i) q = Slice(x, i, e) c = Concat<axis = 0>(p, q) y = Neg(c) }",
        ["Neg"],
    ),
    "side by side: Slices from the end": (
        "concat.side_by_side",
        f"{N} => (float y) {axes(o='0', i='-5', e=END)} "
        "{ p = Slice(x, o, i) q = Slice(x, i, e) c = Concat<axis = 0>(p, q) y = Neg(c) }",
        ["Neg"],
    ),
    "side by side: not all": (
        "concat.side_by_side",
        f"{N} => (float y) {axes(o='1', i='2', e='4', a='2')} "
        "{ p = Slice(x, o, i, a) q = Slice(x, i, e, a) y = Concat<axis = 2>(p, q) }",
        ["Slice"],
    ),
    "side by side: parts of a Split, which stays": (
        "concat.side_by_side",
        f"{N} => (float y, float z) {axes(n='1 3')} "
        "{ p, q = Split<axis = 1>(x, n) c = Concat<axis = 1>(p, q) y = Concat<axis = 1>(c, x) z = Neg(p) }",
        ["Split", "Neg", "Concat"],
    ),
    "picks": (
        "concat.picks",
        f"{N} => (float y) {axes(i='3', j='1 1')} "
        "{ p = Gather<axis = 1>(x, i) q = Gather<axis = 1>(x, j) y = Concat<axis = 1>(p, q, x) }",
        ["Gather", "Concat"],
    ),
    "shapes": (
        "concat.shapes",
        f"{NM} => (int64 y) {axes(i='3')} "
        "{ p = Shape<end = 1>(x) q = Shape<start = 1, end = 2>(x) y = Concat<axis = 0>(p, q, i) }",
        ["Shape", "Concat"],
    ),
    "unsqueezed": (
        "alike.unsqueezed",
        f"(float[N,2] a, float[N,3] b) => (float y) {axes(i='-2', j='1')} "
        "{ p = Unsqueeze(a, i) q = Unsqueeze(b, j) y = Concat<axis = -1>(p, q) }",
        ["Concat", "Unsqueeze"],
    ),
    "unsqueezed: Squeezes": (
        "alike.unsqueezed",
        f"(float[N,1,2] a, float[N,1,3] b) => (float y) {axes(i='-2', j='1')} "
        "{ p = Squeeze(a, i) q = Squeeze(b, j) y = Concat<axis = -1>(p, q) }",
        ["Concat", "Squeeze"],
    ),
    "stack": (
        "alike.stack",
        f"(float[N,2] a, float[N,2] b) => (float y) {axes(i='1')} "
        "{ p = Unsqueeze(a, i) q = Unsqueeze(b, i) y = Concat<axis = -2>(p, q) }",
        ["Concat", "Reshape"],
    ),
    "grid": (
        "alike.grid",
        "(float[N,2] a, float[N,2] b, float[N,3] c, float[N,3] d, float[N,1] e, float[N,1] f) => (float y) "
        "{ p = Concat<axis = 0>(a, b) q = Concat<axis = 0>(c, d) r = Concat<axis = 0>(e, f) "
        "y = Concat<axis = 1>(p, q, r) }",
        ["Concat", "Concat", "Concat"],
    ),
    "reshaped alike": (
        "alike.reshape",
        f"(float[N,4,1,6] a, float[N,5,1,6] b) => (float y) {axes(s='0 4 2 3', t='-1 5 2 3')} "
        "{ p = Reshape(a, s) q = Reshape(b, t) y = Concat<axis = 1>(p, q) }",
        ["Concat", "Reshape"],
    ),
    # -- focus --
    "focus: another order": (
        "focus.space_to_depth",
        "(double[N,2,M,6] x) => (double y) "
        f"{axes(a='2 3', k='2 2', e=f'{END} {END}', s='0 0', t='0 1', u='1 0', v='1 1')} "
        "{ p = Slice(x, s, e, a, k) q = Slice(x, u, e, a, k) r = Slice(x, t, e, a, k) z = Slice(x, v, e, a, k) "
        "y = Concat<axis = 1>(p, q, r, z) }",
        ["SpaceToDepth", "Gather"],
    ),
    "one axis: shared with another product": (
        "gather.one_axis",
        "(float[4,3] x) => (float y, int64 z) <int64[2] i = {3, -4}, int64[1] last = {1}> "
        "{ u = Unsqueeze(i, last) y = GatherND(x, u) z = Neg(u) }",
        ["Gather", "Neg", "Unsqueeze"],
    ),
    "sequences: parts of several sizes": (
        "sequences.part",
        f"(float[N,5] x) => (float y) {axes(n='1 3 1')[:-1]}, int64 i = {{-2}}> "
        "{ s = SplitToSequence<axis = -1>(x, n) y = SequenceAt(s, i) }",
        ["Slice"],
    ),
    "sequences: a part of a dim of any size": (
        "sequences.part",
        "(float[N,5] x) => (float y) <int64 n = {2}, int64 i = {0}> "
        "{ s = SplitToSequence<axis = 0>(x, n) y = SequenceAt(s, i) }",
        ["Slice"],
    ),
    "sequences: the last one of single elements": (
        "sequences.part",
        "(float[N,5] x) => (float y) <int64 i = {-1}> { s = SplitToSequence(x) y = SequenceAt(s, i) }",
        ["Slice"],
    ),
    "sequences: elements without their axis": (
        "sequences.part",
        "(float[N,5] x) => (float y, float z) <int64 i = {-1}, int64 j = {0}> "
        "{ s = SplitToSequence<axis = 1, keepdims = 0>(x) y = SequenceAt(s, i) z = SequenceAt(s, j) }",
        ["Gather", "Gather"],
    ),
    "focus: into a Conv": (
        "focus.into_conv",
        "(float[N,3,4,4] x) => (float y) <int64[3] c = {1, -1, 0}, float[1,3,1,1] w = {2, 3, 5}, float[1] b = {1}> "
        "{ a = Gather<axis = 1>(x, c) y = Conv<strides = [2, 2]>(a, w, b) }",
        ["Conv"],
    ),
    "everything: indices that are no list": (
        "gather.everything",
        "(float[N,4] x) => (float y) <int64[2,2] i = {0, 1, 2, -1}> { y = Gather<axis = 1>(x, i) }",
        ["Reshape"],
    ),
    "everything: of two axes": (
        "gather.everything_nd",
        "(bool[2,2,N] x) => (bool y) <int64[2,1,2,2] i = {0, 0, 0, 1, 1, 0, 1, 1}> { y = GatherND(x, i) }",
        ["Unsqueeze"],
    ),
    "merge: Slices of one that is shared by Slices": (
        "slices.merge",
        f"{N} => (float y) {axes(a='2', b='1', i='1', e='5', k='2')} "
        "{ p = Slice(x, i, e, a, k) q = Slice(p, i, e, b) r = Slice(p, i, e, b, k) y = Concat<axis = 1>(q, r) }",
        ["Slice", "Slice", "Concat"],
    ),
    "merge: an axis that is whole": (
        "slices.merge",
        f"{N} => (float y) {axes(a='0 1', i='0 1', e=f'{END} 3', b='1')} "
        f"{{ p = Slice(x, i, e, a) y = Slice(p, b, b, b) }}",
        ["Slice"],
    ),
    # -- split --
    "Split of a Concat": (
        "split.of_concat",
        f"(float[N,2] a, float[N,3] b) => (float y, float z) {axes(n='2 3')} "
        "{ c = Concat<axis = 1>(a, b) p, q = Split<axis = -1>(c, n) y = Neg(p) z = Neg(q) }",
        ["Neg", "Neg"],
    ),
    "one part": (
        "split.one_part",
        f"{N} => (float y) {axes(n='2 3 1')} {{ p, q, r = Split<axis = -1>(x, n) y = Neg(q) }}",
        ["Slice", "Neg"],
    ),
    "unbind": (
        "split.unbind",
        f"{N} => (float y) {axes(a='1', n='1 1 1 1')} "
        "{ p, q, r, s = Split<axis = 1>(x, n) u = Squeeze(p, a) v = Squeeze(s, a) w = Squeeze(s, a) t = Sub(u, v) "
        "y = Add(t, w) }",
        ["Gather", "Gather", "Sub", "Add"],
    ),
    "from slices": (
        "split.from_slices",
        f"{N} => (float y, float z) {axes(o='0', i='3', e=END, a='-1')} "
        "{ p = Slice(x, i, e, a) q = Slice(x, o, i, a) y = Neg(p) z = Exp(q) }",
        ["Split", "Neg", "Exp"],
    ),
    "from slices: a gap, a Gather, and one that is there twice": (
        "split.from_slices",
        f"{N} => (float y) {axes(i='0', e='2', j='4 5', a='2')} "
        "{ p = Slice(x, i, e, a) q = Slice(x, i, e, a) r = Gather<axis = 2>(x, j) t = Sub(p, r) y = Add(t, q) }",
        ["Split", "Sub", "Add"],
    ),
    # -- expand --
    "covered: symbolic dims": (
        "expand.covered",
        "(float[N,1] x, float[N,M] z) => (float y) { s = Shape(z) p = Expand(x, s) y = Mul(p, z) }",
        ["Mul"],
    ),
    "covered: Tile": (
        "expand.covered",
        f"(float[N,1,6] x, float[N,4,6] z) => (bool y) {axes(r='1 4 1')} {{ p = Tile(x, r) y = Less(z, p) }}",
        ["Less"],
    ),
    "covered: a lower rank": (
        "expand.covered",
        f"(float[6] x, float[2,6] z) => (float y) {axes(r='2 6')} {{ p = Expand(x, r) y = Sub(z, p) }}",
        ["Sub"],
    ),
    "covered: a branch": (
        "expand.covered_choice",
        f"(bool[2,6] c, float[6] x, float[2,6] z) => (float y) {axes(r='2 6')} "
        f"{{ p = Expand(x, r) y = Where(c, p, z) }}",
        ["Where"],
    ),
    "twice": (
        "expand.twice",
        f"(float[1,6] x) => (float y) {axes(r='2 1 1', t='2 3 1')} {{ p = Expand(x, r) y = Expand(p, t) }}",
        ["Expand"],
    ),
    "after unary": (
        "expand.after_unary",
        "(float[N,1] x) => (float y) <int64[2] r = {1, 3}, float l = {0}> { p = Expand(x, r) y = Clip(p, l) }",
        ["Clip", "Expand"],
    ),
    # -- repeat --
    "interleave: each element": (
        "repeat.interleave",
        f"(float[N,2,M] x) => (float y) {axes(k='2', r='1 1 3 1', m='0 6 -1')} "
        "{ u = Unsqueeze(x, k) e = Expand(u, r) y = Reshape(e, m) }",
        ["Gather"],
    ),
    "interleave: the whole": (
        "repeat.interleave",
        f"(float[N,2,M] x) => (float y) {axes(k='1', r='3 1 1', m='0 6 -1')} "
        "{ u = Unsqueeze(x, k) e = Expand(u, r) y = Reshape(e, m) }",
        ["Tile"],
    ),
    # -- products --
    "rows: Gemm with a bias and a transposed weight": (
        "products.rows",
        "(float[N,M,4] x) => (float y) <float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] c = {1, 2}, "
        "int64[2] f = {-1, 4}> { s = Shape(x) p = Reshape(x, f) q = Gemm<transB = 1>(p, w, c) "
        "a = Shape<end = 2>(x) b = Shape(c) d = Concat<axis = 0>(a, b) y = Reshape(q, d) }",
        ["MatMul", "Add"],
    ),
    "rows: reshaped before": (
        "products.rows",
        f"(float[N,3,2,2] x, float[4,5] w) => (float y) {axes(f='-1 4', t='-1 3 5')} "
        "{ p = Reshape(x, f) q = MatMul(p, w) y = Reshape(q, t) }",
        ["Reshape", "MatMul"],
    ),
    "batches": (
        "products.batches",
        f"(float[N,2,3,4] x, float[N,2,4,3] z) => (float y) {axes(f='-1 3 4', g='-1 4 3', t='-1 2 3 3')} "
        "{ p = Reshape(x, f) q = Reshape(z, g) m = MatMul(p, q) y = Reshape(m, t) }",
        ["MatMul"],
    ),
    # -- turned --
    "turned: dims of 1 come and go": (
        "turned.between",
        f"(float[1,1,3,N,4] x) => (float y) {axes(f='3 -1 4', t='1 3 4 -1')} "
        "{ p = Reshape(x, f) q = Transpose<perm = [0, 2, 1]>(p) y = Reshape(q, t) }",
        ["Transpose", "Squeeze"],
    ),
    "turned: the second Reshape parts": (
        "turned.between",
        f"(float[6,20] x) => (float y) {axes(f='2 3 20', t='4 5 2 3')} "
        "{ p = Reshape(x, f) q = Transpose<perm = [2, 0, 1]>(p) y = Reshape(q, t) }",
        ["Reshape", "Transpose"],
    ),
    "turned: nothing but dims of 1 moves": (
        "turned.between",
        f"(float[3,N] x) => (float y) {axes(a='0', b='2')} "
        "{ p = Unsqueeze(x, a) q = Transpose<perm = [1, 2, 0]>(p) y = Unsqueeze(q, b) }",
        ["Unsqueeze"],
    ),
    "turned: one element": (
        "turned.one_element",
        f"(float[3,N,4] x) => (float y) {axes(i='-1', e=END, k='0', a='-1')} "
        "{ p = Slice(x, i, e, k) q = Transpose<perm = [2, 1, 0]>(p) y = Squeeze(q, a) }",
        ["Gather", "Transpose"],
    ),
    "turned: one that is gathered": (
        "turned.one_element",
        f"(float[3,N,4] x) => (float y) {axes(i='1', a='0')} "
        "{ p = Gather<axis = 1>(x, i) q = Transpose<perm = [1, 0, 2]>(p) y = Squeeze(q, a) }",
        ["Gather"],
    ),
    # -- broadcast --
    "leading ones: two operands": (
        "broadcast.leading_ones",
        f"(float[N,3] x, float[M,N,3] z) => (float y) {axes(a='0 1', o='0')} "
        "{ p = Unsqueeze(x, a) q = Unsqueeze(z, o) y = Sub(q, p) }",
        ["Unsqueeze", "Sub"],
    ),
    "leading ones: before a dim of 1": (
        "broadcast.leading_ones",
        f"(float[1,3] x, float[2,4,3] z) => (float y) {axes(a='1')} {{ p = Unsqueeze(x, a) y = Div(z, p) }}",
        ["Div"],
    ),
    "leading ones: dropped": (
        "broadcast.leading_ones",
        f"(float[1,3] x, float[2,4,3] z) => (float y) {axes(a='0')} {{ p = Squeeze(x, a) y = Mul(p, z) }}",
        ["Mul"],
    ),
    "leading ones: a condition": (
        "broadcast.leading_ones",
        f"(bool[N] x, float[M,N] z) => (float y) {axes(a='0')} {{ p = Unsqueeze(x, a) q = Neg(z) y = Where(p, q, z) }}",
        ["Neg", "Where"],
    ),
    "leading ones: before a function": (
        "broadcast.leading_ones_before",
        f"(int64[N] x, float[1,M,N] z) => (float y) {axes(a='0')} "
        "{ p = Unsqueeze(x, a) q = Cast<to = 1>(p) y = Mul(q, z) }",
        ["Cast", "Mul"],
    ),
    "both": (
        "broadcast.both",
        f"(float[N,4] x, float[N,4] z) => (bool y) {axes(a='0 2 2')} "
        f"{{ p = Reshape(x, a) q = Reshape(z, a) y = Less(q, p) }}",
        ["Less", "Reshape"],
    ),
    # -- across --
    "functions: undone": (
        "across.functions",
        f"(float[N,4] x) => (int64 y) {axes(a='1', l='2')} "
        "{ p = Unsqueeze(x, a) c = Cast<to = 7>(p) q = Add(l, c) r = Neg(q) y = Squeeze(r, a) }",
        ["Cast", "Add", "Neg"],
    ),
    "functions: the first one stays": (
        "across.functions",
        f"(float[N,4] x) => (float y, float z) {axes(a='1')} "
        "{ p = Unsqueeze(x, a) r = Neg(p) y = Squeeze(r, a) z = Exp(p) }",
        ["Unsqueeze", "Neg", "Exp"],
    ),
    "ends: Slice": (
        "across.ends",
        f"(float[N,4,6] x) => (float y) {axes(i='1', e='3', l='3', a='2')} "
        "{ p = Unsqueeze(x, a) q = Slice(p, i, e, l) y = Flatten(q) }",
        ["Slice", "Reshape"],
    ),
    # -- pads --
    "pads": (
        "pads.merge",
        f"{N} => (float y) {axes(p='0 1 0 0 2 0', q='1 1', a='-1')} {{ b = Pad(x, p) y = Pad(b, q, , a) }}",
        ["Pad"],
    ),
    "pads: edges": (
        "pads.merge",
        f'{N} => (float y) {axes(p="0 1 0 0 2 0", q="0 1 0 0 0 3")} {{ b = Pad<mode = "edge">(x, p) '
        'y = Pad<mode = "edge">(b, q) }',
        ["Pad"],
    ),
    "pads: of a Slice": (
        "pads.of_slice",
        f"{N} => (float y) <int64[6] p = {{0, 0, 0, 0, 2, 0}}, int64[2] i = {{2, 1}}, int64[2] e = {{9, 4}}, "
        "int64[2] a = {1, 2}, float v = {3}> { s = Slice(x, i, e, a) y = Pad(s, p, v) }",
        ["Pad"],
    ),
}


@pytest.mark.parametrize("name", FIRES)
def test_it_fires(name: str) -> None:
    rule, text, left = FIRES[name]
    done = rewrite(text, f"layout.{rule},clean.dead")
    assert f"layout.{rule}" in [e.rule for e in done.ctx.ledger.entries]
    assert sorted(done.ops) == sorted(left)


STAYS = {
    "chain: unknown dims": (
        "reshape.chain",
        f"{NM[:-1]}, float[M,N,6] z) => (float y) {axes(b='1')} "
        "{ s = Shape(z) p = Reshape(x, s) y = Unsqueeze(p, b) }",
    ),
    "keepdims: another axis": (
        "reduce.keepdims",
        f"(float[N,1,6] x) => (float y) {axes(a='2', b='1')} {{ p = ReduceMax(x, a) y = Squeeze(p, b) }}",
    ),
    "keepdims: put in elsewhere": (
        "reduce.keepdims",
        f"{N} => (float y) {axes(a='2', b='1')} {{ p = ReduceMax<keepdims = 0>(x, a) y = Unsqueeze(p, b) }}",
    ),
    "keepdims: used elsewhere": (
        "reduce.keepdims",
        f"{N} => (float y, float z) {axes(a='2')} {{ p = ReduceMax(x, a) y = Squeeze(p, a) z = Neg(p) }}",
    ),
    "sums: means of integers": (
        "reduce.sums",
        f"(int32[N,4,6] x) => (int32 y) {axes(a='1', b='2')} {{ p = ReduceMean(x, a) y = ReduceMean(p, b) }}",
    ),
    "sums: dims kept once": (
        "reduce.sums",
        f"{N} => (float y) {axes(a='1')} {{ p = ReduceSum(x, a) y = ReduceSum<keepdims = 0>(p, a) }}",
    ),
    "one index: another axis": (
        "gather.one_index",
        "(float[2,2,2] x) => (float y) <int64[1] a = {0}, int64 i = {1}> "
        "{ p = Gather<axis = 1>(x, i) y = Unsqueeze(p, a) }",
    ),
    "one index: not constant": (
        "gather.one_index",
        "(float[5,5,5] x, int64 i) => (float y) <int64[1] a = {1}> { p = Gather<axis = 1>(x, i) y = Unsqueeze(p, a) }",
    ),
    "one slice: it may be empty": (
        "gather.one_slice",
        f"{N} => (float y) {axes(a='0', i='1', e='2')} {{ p = Slice(x, i, e, a) y = Squeeze(p, a) }}",
    ),
    "of a Slice: from an unknown end": (
        "gather.of_slice",
        f"{N} => (float y) {axes(a='0', i='-1', e=END, j='0')} {{ p = Slice(x, i, e, a) y = Gather(p, j) }}",
    ),
    "of a Concat: an unknown operand": (
        "gather.of_concat",
        "(float[N,3] a, float[M,3] b, float[2,3] c) => (float y) <int64 i = {2}> "
        "{ p = Concat<axis = 0>(a, b, c) y = Gather(p, i) }",
    ),
    "of a Concat: two operands": (
        "gather.of_concat",
        f"(float[2,3] a, float[2,3] b) => (float y) {axes(i='1 2')} {{ p = Concat<axis = 0>(a, b) y = Gather(p, i) }}",
    ),
    "everything: in another order": (
        "gather.everything",
        f"{N} => (float y) {axes(i='0 2 1 3')} {{ p = Gather<axis = 1>(x, i) y = Neg(p) }}",
    ),
    "all counted: another size": (
        "counted.everything",
        "(float[N,M] x, float[K] z) => (float y) <int64 i = {0}, int64 j = {1}> "
        "{ s = Size(z) r = Range(i, s, j) y = Gather(x, r) }",
    ),
    "all counted: column by column": (
        "counted.everything",
        "(bool[N,M] x) => (bool y) <int64 i = {0}, int64 j = {1}, int64[1] o = {1}, int64[1] f = {-1}> "
        "{ s = Shape(x) n = Gather(s, i) m = Gather(s, j) r = Range(i, n, j) t = Range(i, m, j) u = Unsqueeze(t, o) "
        "v = Mul(m, u) w = Add(v, r) a = Reshape(x, f) y = Gather(a, w) }",
    ),
    "all counted: axes that change places": (
        "counted.everything_nd",
        "(float[4,4] x) => (float y) <int64 i = {0}, int64 j = {1}, int64 k = {4}, int64[2] e = {4, 4}, "
        "int64[1] z = {-1}, int64[1] o = {1}> { r = Range(i, k, j) u = Unsqueeze(r, o) p = Expand(u, e) "
        "q = Expand(r, e) v = Unsqueeze(q, z) w = Unsqueeze(p, z) c = Concat<axis = -1>(v, w) y = GatherND(x, c) }",
    ),
    "all counted: by twos": (
        "counted.everything",
        "(float[N,M] x) => (float y) <int64 i = {0}, int64 j = {2}> "
        "{ s = Shape(x) n = Gather(s, i) r = Range(i, n, j) y = Gather(x, r) }",
    ),
    "merge: the last ones of an unknown size": (
        "slices.merge",
        f"{N} => (float y) {axes(a='0', i='1', j='-1', e=END)} {{ p = Slice(x, i, e, a) y = Slice(p, j, e, a) }}",
    ),
    "merge: used elsewhere": (
        "slices.merge",
        f"{N} => (float y, float z) {axes(a='1', i='1', e='3')} "
        f"{{ p = Slice(x, i, e, a) y = Slice(p, i, e, a) z = Neg(p) }}",
    ),
    "flatten: another axis": (
        "concat.flatten",
        "(float[2,2] a) => (float y) { c = Concat<axis = 1>(a, a) y = Concat<axis = 0>(c, c) }",
    ),
    "side by side: another order": (
        "concat.side_by_side",
        f"{N} => (float y) {axes(n='1 3')} {{ p, q = Split<axis = 1>(x, n) y = Concat<axis = 1>(q, p) }}",
    ),
    "side by side: past an end that may come first": (
        "concat.side_by_side",
        f"(float[N,2] x) => (float y) {axes(o='1', i='-5', e=END)} "
        "{ p = Slice(x, o, i) q = Slice(x, i, e) c = Concat<axis = 0>(p, q) y = Neg(c) }",
    ),
    "side by side: parts of a Split that do not make it whole": (
        "concat.side_by_side",
        f"{N} => (float y) {axes(n='1 1 2')} {{ p, q, r = Split<axis = 1>(x, n) y = Concat<axis = 1>(q, r) }}",
    ),
    "stack: behind the last axis": (
        "alike.stack",
        f"(float[N,2] a, float[N,2] b) => (float y) {axes(i='2')} "
        "{ p = Unsqueeze(a, i) q = Unsqueeze(b, i) y = Concat<axis = 2>(p, q) }",
    ),
    "unsqueezed: used elsewhere": (
        "alike.unsqueezed",
        f"(float[N,2] a, float[N,3] b) => (float y, float z) {axes(i='1')} "
        "{ p = Unsqueeze(a, i) q = Unsqueeze(b, i) y = Concat<axis = 2>(p, q) z = Neg(p) }",
    ),
    "grid: other sizes": (
        "alike.grid",
        "(float[N,2] a, float[M,2] b) => (float y) "
        "{ p = Concat<axis = 0>(a, b) q = Concat<axis = 0>(a, b) r = Concat<axis = 0>(b, a) "
        "y = Concat<axis = 1>(p, q, r) }",
    ),
    "grid: as many": (
        "alike.grid",
        "(float[N,2] a, float[N,2] b) => (float y) "
        "{ p = Concat<axis = 0>(a, b) q = Concat<axis = 0>(b, a) y = Concat<axis = 1>(p, q) }",
    ),
    "reshaped alike: the axis is made of two": (
        "alike.reshape",
        f"(float[N,4,2] a, float[N,4,2] b) => (float y) {axes(s='-1 8')} "
        "{ p = Reshape(a, s) q = Reshape(b, s) y = Concat<axis = 1>(p, q) }",
    ),
    "reshaped alike: not alike": (
        "alike.reshape",
        f"(float[N,4,2,3] a, float[N,4,3,2] b) => (float y) {axes(s='0 0 6')} "
        "{ p = Reshape(a, s) q = Reshape(b, s) y = Concat<axis = 1>(p, q) }",
    ),
    "focus: one slice is there twice": (
        "focus.space_to_depth",
        f"(float[N,2,4,6] x) => (float y) {axes(a='2 3', k='2 2', e='4 6', s='0 0', v='1 1')} "
        "{ p = Slice(x, s, e, a, k) q = Slice(x, v, e, a, k) r = Slice(x, s, e, a, k) z = Slice(x, v, e, a, k) "
        "y = Concat<axis = 1>(p, q, r, z) }",
    ),
    "focus: a type that runtimes do not take": (
        "focus.space_to_depth",
        f"(int32[N,2,4,6] x) => (int32 y) {axes(a='2 3', k='2 2', e='4 6', s='0 0', t='0 1', u='1 0', v='1 1')} "
        "{ p = Slice(x, s, e, a, k) q = Slice(x, u, e, a, k) r = Slice(x, t, e, a, k) z = Slice(x, v, e, a, k) "
        "y = Concat<axis = 1>(p, q, r, z) }",
    ),
    "focus: channels that are left out": (
        "focus.into_conv",
        "(float[N,3,4,4] x) => (float y) <int64[2] c = {1, 0}, float[1,2,1,1] w = {2, 3}> "
        "{ a = Gather<axis = 1>(x, c) y = Conv(a, w) }",
    ),
    "focus: groups": (
        "focus.into_conv",
        "(float[N,2,4,4] x) => (float y) <int64[2] c = {1, 0}, float[2,1,1,1] w = {2, 3}> "
        "{ a = Gather<axis = 1>(x, c) y = Conv<group = 2>(a, w) }",
    ),
    "one axis: indices of two numbers": (
        "gather.one_axis",
        "(float[4,3] x, int64[2] i) => (float y) <int64[2] p = {1, 2}> { u = Reshape(i, p) y = GatherND(x, u) }",
    ),
    "one axis: an axis put in elsewhere": (
        "gather.one_axis",
        "(float[4,3] x, int64[2] i) => (float y) <int64[1] a = {0}> { u = Unsqueeze(i, a) y = GatherND(x, u) }",
    ),
    "one axis: batch dims": (
        "gather.one_axis",
        "(float[2,3,4] x, int64[2] i) => (float y) <int64[1] a = {1}> "
        "{ u = Unsqueeze(i, a) y = GatherND<batch_dims = 1>(x, u) }",
    ),
    "sequences: from the end of any size": (
        "sequences.part",
        "(float[N,5] x) => (float y) <int64 n = {2}, int64 i = {-1}> "
        "{ s = SplitToSequence<axis = 0>(x, n) y = SequenceAt(s, i) }",
    ),
    "sequences: another axis comes first": (
        "sequences.concat",
        "(float[2] a, float[2] b) => (float y) "
        "{ s = SequenceConstruct(a, b) y = ConcatFromSequence<axis = 0, new_axis = 1>(s) }",
    ),
    "everything: in columns": (
        "gather.everything_nd",
        "(bool[2,2,N] x) => (bool y) <int64[4,2] i = {0, 0, 1, 0, 0, 1, 1, 1}> { y = GatherND(x, i) }",
    ),
    "Split of a Concat: other parts": (
        "split.of_concat",
        f"(float[N,2] a, float[N,3] b) => (float y, float z) {axes(n='3 2')} "
        "{ c = Concat<axis = 1>(a, b) p, q = Split<axis = 1>(c, n) y = Neg(p) z = Neg(q) }",
    ),
    "unbind: a part is used otherwise": (
        "split.unbind",
        f"{N} => (float y, float z) {axes(a='1', n='1 1 1 1')} "
        "{ p, q, r, s = Split<axis = 1>(x, n) y = Squeeze(p, a) z = Neg(q) }",
    ),
    "from slices: they overlap": (
        "split.from_slices",
        f"{N} => (float y) {axes(o='0', i='2', j='1', e='4', a='2')} "
        "{ p = Slice(x, o, i, a) q = Slice(x, j, e, a) y = Concat<axis = 2>(p, q) }",
    ),
    "from slices: more is left than taken": (
        "split.from_slices",
        f"{N} => (float y) {axes(o='0', i='1', j='4', e='5', a='2')} "
        "{ p = Slice(x, o, i, a) q = Slice(x, j, e, a) y = Sub(p, q) }",
    ),
    "from slices: unknown size": (
        "split.from_slices",
        f"{N} => (float y, float z) {axes(o='0', i='1', e=END)} {{ y = Slice(x, o, i) z = Slice(x, i, e) }}",
    ),
    "covered: not covered": (
        "expand.covered",
        f"(float[N,1] x, float[N,M] z) => (float y) {axes(r='1 6')} {{ p = Expand(x, r) y = Add(p, p) }}",
    ),
    "covered: a Tile of more": (
        "expand.covered",
        f"(float[2] x, float[4] z) => (float y) {axes(r='2')} {{ p = Tile(x, r) y = Mul(z, p) }}",
    ),
    "interleave: two axes": (
        "repeat.interleave",
        f"(float[2] x) => (float y) {axes(k='1 2', r='2 2 3', m='12')} "
        "{ u = Unsqueeze(x, k) e = Expand(u, r) y = Reshape(e, m) }",
    ),
    "interleave: not merged": (
        "repeat.interleave",
        f"(float[2,3] x) => (float y) {axes(k='1', r='2 2 3', m='6 2')} "
        "{ u = Unsqueeze(x, k) e = Expand(u, r) y = Reshape(e, m) }",
    ),
    "rows: the bias is one for each row": (
        "products.rows",
        f"(float[2,3,4] x, float[4,5] w, float[6,1] c) => (float y) {axes(f='-1 4', t='-1 3 5')} "
        "{ p = Reshape(x, f) q = Gemm(p, w, c) y = Reshape(q, t) }",
    ),
    "rows: a bias, and another use of the rows": (
        "products.rows",
        f"(float[2,3,4] x, float[4,5] w, float[5] c) => (float y, float z) {axes(f='-1 4', t='-1 3 5')} "
        "{ p = Reshape(x, f) q = Gemm(p, w, c) y = Reshape(q, t) z = Neg(p) }",
    ),
    "rows: columns are parted": (
        "products.rows",
        f"(float[2,3,4] x, float[4,6] w) => (float y) {axes(f='-1 4', t='-1 3 2')} "
        "{ p = Reshape(x, f) q = MatMul(p, w) y = Reshape(q, t) }",
    ),
    "batches: other leading dims": (
        "products.batches",
        f"(float[2,3,3,4] x, float[3,2,4,3] z) => (float y) {axes(f='-1 3 4', g='-1 4 3', t='2 3 3 3')} "
        "{ p = Reshape(x, f) q = Reshape(z, g) m = MatMul(p, q) y = Reshape(m, t) }",
    ),
    "turned: blocks that change places with their parts": (
        "turned.between",
        f"(float[N,12,5] x) => (float y) {axes(f='0 3 4 5', t='0 15 4')} "
        "{ p = Reshape(x, f) q = Transpose<perm = [0, 1, 3, 2]>(p) y = Reshape(q, t) }",
    ),
    "turned: more than one element": (
        "turned.one_element",
        f"(float[N,1,4] x) => (float y) {axes(i='0', e='1', k='0', a='1')} "
        "{ p = Slice(x, i, e, k) q = Transpose<perm = [1, 0, 2]>(p) y = Squeeze(q, a) }",
    ),
    "leading ones: the rank is theirs": (
        "broadcast.leading_ones",
        f"(float[N,3] x, float[3] z) => (float y) {axes(a='0')} {{ p = Unsqueeze(x, a) y = Add(p, z) }}",
    ),
    "leading ones: in the middle": (
        "broadcast.leading_ones",
        f"(float[2,3] x, float[2,2,3] z) => (float y) {axes(a='1')} {{ p = Unsqueeze(x, a) y = Add(p, z) }}",
    ),
    "both: other shapes": (
        "broadcast.both",
        "(float[2,3] x, float[3,2] z) => (float y) <int64[1] a = {6}> "
        "{ p = Reshape(x, a) q = Reshape(z, a) y = Add(p, q) }",
    ),
    "both: used elsewhere": (
        "broadcast.both",
        f"(float[N,4] x, float[N,4] z) => (float y, float w) {axes(a='0 2 2')} "
        "{ p = Reshape(x, a) q = Reshape(z, a) y = Add(q, p) w = Neg(p) }",
    ),
    "functions: a constant of several elements": (
        "across.functions",
        f"(int64[N,4] x) => (int64 y) {axes(a='1', l='2 3 4 5')} "
        "{ p = Unsqueeze(x, a) q = Add(l, p) y = Squeeze(q, a) }",
    ),
    "functions: a constant of more dims": (
        "across.functions",
        "(float[4] x) => (float y) <int64[2] a = {1, 4}, int64[1] b = {4}, float[1,1] l = {2}> "
        "{ p = Reshape(x, a) q = Add(l, p) y = Reshape(q, b) }",
    ),
    "ends: an axis of two": (
        "across.ends",
        f"(float[N,2,3] x) => (float y) {axes(f='0 6', i='1', e='3', k='1', t='0 2 1')} "
        "{ p = Reshape(x, f) q = Slice(p, i, e, k) y = Reshape(q, t) }",
    ),
    "pads: other values": (
        "pads.merge",
        f"{N} => (float y) <int64[6] p = {{0, 0, 0, 0, 2, 0}}, float v = {{3}}> {{ b = Pad(x, p) y = Pad(b, p, v) }}",
    ),
    "pads: one crops": (
        "pads.merge",
        f"{N} => (float y) {axes(p='0 1 0 0 2 0', q='0 -1 0 0 0 0')} {{ b = Pad(x, p) y = Pad(b, q) }}",
    ),
    "pads: mirrored": (
        "pads.merge",
        f"{N} => (float y) {axes(p='0 1 0 0 1 0')} "
        f'{{ b = Pad<mode = "reflect">(x, p) y = Pad<mode = "reflect">(b, p) }}',
    ),
    "pads: what was cut off is filled": (
        "pads.of_slice",
        f"{N} => (float y) {axes(p='0 1 0 0 0 0', i='1', e='4', a='1')} {{ s = Slice(x, i, e, a) y = Pad(s, p) }}",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    rule, text = STAYS[name]
    assert rewrite(text, f"layout.{rule}").fired == []


def test_exact_rules_say_so() -> None:
    rounding = [
        "expand.after_function",
        "expand.stacked",
        "focus.into_conv",
        "products.batches",
        "products.rows",
        "reduce.extremes",
        "reduce.sums",
    ]
    assert sorted(r.name for r in RULES if r.numerics is not Numerics.EXACT) == [f"layout.{name}" for name in rounding]


@pytest.mark.parametrize(
    "body",
    [
        "{ s = SplitToSequence<axis = 1>(x, two) y = SequenceAt(s, three) }",
        "{ s = SequenceConstruct(x) t = SequenceInsert(s, x, two) y = SequenceAt(t, two) }",
    ],
)
def test_a_place_outside_of_a_sequence_stays_for_the_runtime_to_refuse(body: str) -> None:
    given = "g (float[2,5] x) => (float y) <int64 two = {2}, int64 three = {3}>"
    model = parse(f'<ir_version: 8, opset_import: ["": 17]> {given} {body}')
    assert not gopt.run(model, "layout", verify=False).ledger.entries
