"""All planted bugs, one at a time."""

from __future__ import annotations

from .plant import Plant

_NORM = "<float[4,3,3,3] w, float[4] s, float[4] b, float[4] m, float[4] var_v>"
_PICTURE = "(float[N,3,H,W] x) => (float[N,4,P,Q] y)"
_LAYER = "<float[6,6] w, float[6] b, float[6] g, float[6] h>"

ARITHMETIC = (
    Plant(
        "arithmetic.sub_swapped",
        "(float[N,6] x) => (float[N,6] y) <float[6,6] w, float[6] b> { p = MatMul(x, w) q = Sub(p, b) y = Tanh(q) }",
    ),
    Plant(
        "arithmetic.div_swapped",
        """(float[N,6] x) => (float[N,6] y) <float[6] var_a> {
           p = Mul(x, x) q = Add(p, var_a) r = Sqrt(q) y = Div(x, r) }""",
    ),
    Plant(
        "arithmetic.pow_swapped",
        "(float[N,6] x) => (float[N,6] y) <float c = {2.0}> { p = Pow(x, c) y = Sqrt(p) }",
    ),
    Plant(
        "arithmetic.near_one",
        """(float[N,6] x) => (float[N,6] y) <float[6,6] w, float c = {1.001}> {
           p = MatMul(x, w) q = Mul(p, c) y = Softmax(q) }""",
        shows="damped by a Softmax",
    ),
    Plant(
        "arithmetic.near_one",
        """(float[N,5,40] x) => (float[N,6,40] y)
           <float[5,5] w, float big = {640.0}, float c = {1.001}, int64[2] parts = {4, 1}> {
           p = MatMul(w, x) q, r = Split<axis = 1>(p, parts) s = Mul(q, big) t = Sigmoid(r) u = Mul(t, c)
           y = Concat<axis = 1>(s, u, t) }""",
        shows="small numbers beside large ones",
    ),
    Plant(
        "arithmetic.bias_dropped",
        "(float[N,6] x) => (float[N,4] y) <float[6,4] w, float[4] b> { p = MatMul(x, w) q = Add(p, b) y = Relu(q) }",
    ),
    Plant(
        "arithmetic.relu_distributed",
        "(float[N,6] x) => (float[N,6] y) <float[6,6] w> { p = MatMul(x, w) q = Add(p, x) y = Relu(q) }",
        shows="operands of both signs",
    ),
    Plant(
        "arithmetic.where_swapped",
        """(float[N,6] x) => (float[N,6] y) <float[6] a, float zero = {0.0}> {
           c = Less(x, zero) p = Add(x, a) y = Where(c, p, x) }""",
    ),
    Plant(
        "arithmetic.divided_and_multiplied",
        "(int64[N,6] x) => (int64[N,6] y) <int64 c = {4}> { n = Neg(x) p = Div(n, c) q = Mul(p, c) y = Add(q, x) }",
    ),
    Plant(
        "arithmetic.mod_sign",
        "(int64[N,6] x) => (int64[N,6] y) <int64 c = {5}> { y = Mod<fmod = 1>(x, c) }",
        shows="whole numbers below zero",
    ),
    Plant(
        "arithmetic.root_of_square",
        "(float[N,6] x) => (float[N,6] y) <float[6] a> { p = Mul(x, x) q = Sqrt(p) y = Mul(q, a) }",
    ),
    Plant("arithmetic.sign_by_division", "(float[N,6] x) => (float[N,6] y) { y = Sign(x) }", shows="zeros"),
    Plant(
        "arithmetic.half_up",
        "(float[N,6] x) => (float[N,6] y) <float c = {1.0}> { p = Add(x, c) y = Round(p) }",
        shows="halves",
    ),
    Plant(
        "arithmetic.not_less",
        """(float[N,6] x) => (float[N,6] y) <float[6] a = {0, 0.5, 1, 1, 2, 0}> {
           p = Less(x, a) q = Not(p) y = Cast<to = 1>(q) }""",
        shows="ties",
    ),
    Plant(
        "arithmetic.upper_bound_dropped",
        """(float[N,6] x) => (float[N,6] y) <float lo = {0.0}, float hi = {6.0}, float[6] a> {
           p = Add(x, a) y = Clip(p, lo, hi) }""",
        shows="numbers above 6",
    ),
    Plant(
        "arithmetic.upper_bound_dropped",
        """(float[N,6] x) => (float[N,6] y) <float lo = {-1000.0}, float hi = {1000.0}, float[6] a> {
           p = Clip(x, lo, hi) y = Add(p, a) }""",
        shows="numbers above 1000",
    ),
    Plant(
        "arithmetic.lower_bound_dropped",
        """(float[N,6] x) => (float[N,6] y) <float lo = {-3.0}, float hi = {3.0}, float[6] a> {
           p = Add(x, a) y = Clip(p, lo, hi) }""",
        shows="numbers below -3",
    ),
    Plant(
        "arithmetic.bounds_swapped",
        """(float[N,6] x) => (float[N,6] y) <float lo = {0.0}, float hi = {6.0}, float[6] a> {
           p = Add(x, a) y = Clip(p, lo, hi) }""",
    ),
    Plant(
        "arithmetic.alpha_default",
        "(float[N,6] x) => (float[N,6] y) <float[6,6] w> { p = MatMul(x, w) y = LeakyRelu<alpha = 0.2>(p) }",
    ),
    Plant("arithmetic.alpha_sixth", "(float[N,6] x) => (float[N,6] y) { p = HardSigmoid(x) y = Mul(p, p) }"),
    Plant(
        "arithmetic.gelu_by_tanh",
        """(float[N,6] x) => (float[N,6] y)
           <float[6,6] w, float r = {1.4142135}, float one = {1.0}, float half = {0.5}> {
           p = MatMul(x, w) q = Div(p, r) e = Erf(q) f = Add(e, one) h = Mul(p, half) y = Mul(h, f) }""",
        shows="an error of 1e-3 at most",
    ),
    Plant(
        "arithmetic.max_by_where",
        "(float[N,6] x) => (float[N,6] y) <float[6] a> { y = Max(x, a) }",
        shows="NaN",
        nan=True,
        alone=True,
    ),
    Plant(
        "arithmetic.floor_added",
        """(float[N,6] x) => (float[N,6] y) <float floor = {0.000001}, int64[1] axes = {-1}> {
           n = ReduceL2(x, axes) m = Max(n, floor) y = Div(x, m) }""",
        shows="numbers near zero",
    ),
    Plant(
        "arithmetic.floor_outside",
        """(float[N,6] x) => (float[N,6] y) <float floor = {0.000001}, int64[1] axes = {-1}> {
           m = ReduceMean(x, axes) d = Sub(x, m) q = Mul(d, d) v = ReduceMean(q, axes) u = Add(v, floor)
           r = Sqrt(u) y = Div(d, r) }""",
        shows="rows that are nearly constant",
    ),
)

LAYERS = (
    Plant(
        "layers.epsilon_default",
        f"""{_PICTURE} {_NORM} {{
           c = Conv(x, w) n = BatchNormalization<epsilon = 0.001>(c, s, b, m, var_v) y = Relu(n) }}""",
        shows="an error of 5e-4",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.epsilon_tenfold",
        f"{_PICTURE} {_NORM} {{ c = Conv(x, w) n = BatchNormalization(c, s, b, m, var_v) y = Relu(n) }}",
        shows="an error of 5e-5",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.mean_sign",
        f"{_PICTURE} {_NORM} {{ c = Conv(x, w) n = BatchNormalization(c, s, b, m, var_v) y = Relu(n) }}",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.variance_without_root",
        f"{_PICTURE} {_NORM} {{ c = Conv(x, w) n = BatchNormalization(c, s, b, m, var_v) y = Relu(n) }}",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.norm_epsilon",
        f"(float[N,5,6] x) => (float[N,5,6] y) {_LAYER} {{"
        " p = LayerNormalization<epsilon = 0.000000000001>(x, g, h) y = MatMul(p, w) }",
        shows="rows that are nearly constant",
    ),
    Plant(
        "layers.conv_bias_dropped",
        f"{_PICTURE} <float[4,3,3,3] w, float[4] b> {{ c = Conv(x, w, b) y = Sigmoid(c) }}",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.pads_exchanged",
        f"{_PICTURE} <float[4,3,3,3] w> {{ c = Conv<pads = [0, 0, 1, 1], strides = [2, 2]>(x, w) y = Relu(c) }}",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.pads_off_by_one",
        f"{_PICTURE} <float[4,3,3,3] w> {{ c = Conv<pads = [1, 1, 1, 1]>(x, w) y = Relu(c) }}",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.pad_value_dropped",
        """(float[N,3,H,W] x) => (float[N,3,P,Q] y)
           <int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}, float least = {-10.0}> {
           p = Pad(x, pads, least) y = MaxPool<kernel_shape = [3, 3], strides = [3, 3]>(p) }""",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.groups_unsorted",
        "(float[N,4,H,W] x) => (float[N,6,P,Q] y) <float[6,2,3,3] w> { y = Conv<group = 2>(x, w) }",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.pad_counted",
        """(float[N,3,H,W] x) => (float[N,3,P,Q] y) {
           y = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x) }""",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.ceil_dropped",
        """(float[N,3,H,W] x) => (float[N,3] y) <int64[2] axes = {2, 3}> {
           p = MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(x)
           y = ReduceMean<keepdims = 0>(p, axes) }""",
        shows="odd heights and widths",
        sizes={"H": (8, 9), "W": (9, 10)},
    ),
    Plant(
        "layers.resize_asymmetric",
        """(float[N,3,H,W] x) => (float[N,3,P,Q] y) <float[4] scales = {1, 1, 2, 2}> {
           y = Resize<mode = "linear">(x, , scales) }""",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.resize_nearest",
        """(float[N,3,H,W] x) => (float[N,3,P,Q] y) <float[4] scales = {1, 1, 2, 2}> {
           y = Resize<mode = "linear">(x, , scales) }""",
        sizes={"H": (8,), "W": (9,)},
    ),
    Plant(
        "layers.gemm_untransposed",
        "(float[N,6] x) => (float[N,6] y) <float[6,6] w, float[6] b> { y = Gemm<transB = 1>(x, w, b) }",
    ),
    Plant(
        "layers.zero_point_dropped",
        """(float[N,6] x) => (float[N,6] y) <float scale = {0.02}, uint8 zero = {128}> {
           q = QuantizeLinear(x, scale, zero) p = Relu(x) d = DequantizeLinear(q, scale, zero) y = Add(d, p) }""",
    ),
    Plant(
        "layers.lengths_dropped",
        """(float[T,N,4] x, int32[N] lengths) => (float[T,1,N,3] y)
           <float[1,9,4] w, float[1,9,3] r, float[1,18] b> { y, h = GRU<hidden_size = 3>(x, w, r, b, lengths) }""",
        shows="sequences shorter than the longest",
        sizes={"T": (8,), "N": (2, 3)},
        ints=(1, 8),
    ),
    Plant(
        "layers.state_dropped",
        """(float[T,N,4] x, float[1,N,3] state) => (float[T,1,N,3] y)
           <float[1,9,4] w, float[1,9,3] r, float[1,18] b> { y, h = GRU<hidden_size = 3>(x, w, r, b, , state) }""",
        sizes={"T": (8,)},
    ),
)

MOVEMENT = (
    Plant(
        "movement.composed_backwards",
        """(float[4,4,4] x) => (float[4,4,4] y) {
           p = Transpose<perm = [1, 2, 0]>(x) y = Transpose<perm = [0, 2, 1]>(p) }""",
    ),
    Plant(
        "movement.inverse_permutation",
        "(float[4,4,4] x) => (float[4,4,4] y) { p = Transpose<perm = [1, 2, 0]>(x) y = Relu(p) }",
    ),
    Plant(
        "movement.concat_order",
        "(float[N,3] a, float[N,3] b) => (float[N,2] y) <float[6,2] w> { c = Concat<axis = 1>(a, b) y = MatMul(c, w) }",
    ),
    Plant(
        "movement.split_order",
        """(float[N,6] x) => (float[N,3] y) <int64[2] parts = {3, 3}> {
           p, q = Split<axis = 1>(x, parts) s = Sigmoid(q) y = Mul(p, s) }""",
    ),
    Plant(
        "movement.softmax_axis",
        """(float[N,6,4] x) => (float[N,6,6] y) {
           t = Transpose<perm = [0, 2, 1]>(x) s = MatMul(x, t) y = Softmax(s) }""",
        shows="sums over the other axis of what is nearly symmetric",
    ),
    Plant(
        "movement.last_by_slice",
        "(float[N,6] x) => (float[N,1] y) <int64[1] k = {-1}> { p = Sigmoid(x) y = Gather<axis = 1>(p, k) }",
    ),
    Plant(
        "movement.indices_clamped",
        """(int64[N,T] ids) => (float[N,T,4] y) <float[10,4] table> { e = Gather(table, ids) y = Tanh(e) }""",
        shows="indices below zero",
        sizes={"T": (6,)},
    ),
    Plant(
        "movement.slice_to_the_end",
        """(float[N,T] x) => (float[N] y)
           <int64[1] one = {1}, int64[1] last = {9223372036854775807}, int64[1] axes = {1}> {
           p = Slice(x, one, last, axes) y = ReduceMax<keepdims = 0>(p, axes) }""",
        sizes={"T": (7, 40)},
    ),
    Plant(
        "movement.depth_order",
        "(float[N,8,H,W] x) => (float[N,2,P,Q] y) { y = DepthToSpace<blocksize = 2>(x) }",
        sizes={"H": (3,), "W": (4,)},
    ),
    Plant(
        "movement.cumsum_inclusive",
        "(float[N,6] x) => (float[N,6] y) <int64 axis = {1}> { y = CumSum<exclusive = 1>(x, axis) }",
    ),
    Plant(
        "movement.last_of_equals",
        "(float[N,6] x) => (int64[N,1] y) { r = Relu(x) y = ArgMax<axis = 1, select_last_index = 1>(r) }",
        shows="ties",
    ),
    Plant(
        "movement.tile_by_repeating",
        "(float[N,6] x) => (float[N,18] y) <int64[2] r = {1, 3}, float[18] a> { t = Tile(x, r) y = Mul(t, a) }",
    ),
    Plant(
        "movement.keepdims_lost",
        "(float[4,4] x) => (float[4,4] y) <int64[1] axes = {-1}> { m = ReduceMean(x, axes) y = Sub(x, m) }",
    ),
    Plant(
        "movement.mean_axis",
        "(float[N,4,4] x) => (float[N,4] y) <int64[1] axes = {2}> { p = Exp(x) y = ReduceMean<keepdims = 0>(p, axes) }",
    ),
)

SIZES = (
    Plant(
        "sizes.expand_dropped",
        """(float[N,4] x) => (float[N,4] y)
           <float[1,4] a, int64[1] four = {4}, int64[1] zero = {0}, int64[1] one = {1}> {
           s = Shape(x) n = Slice(s, zero, one) t = Concat<axis = 0>(n, four) p = Sigmoid(a) y = Expand(p, t) }""",
        shows="batches of more than one",
    ),
    Plant(
        "sizes.stale_shape",
        """(float[N,3,4] x) => (float[N,12] y)
           <int64[1] rest = {12}, int64[1] zero = {0}, int64[1] one = {1}> {
           s = Shape(x) n = Slice(s, zero, one) t = Concat<axis = 0>(n, rest) p = Sigmoid(x) y = Reshape(p, t) }""",
        shows="batches of more than one",
    ),
    Plant(
        "sizes.stale_count",
        """(float[N,T,4] x) => (float[N,4] y) <int64[1] axes = {1}> { y = ReduceMean<keepdims = 0>(x, axes) }""",
        shows="lengths other than 7",
        sizes={"T": (7, 9)},
    ),
    Plant(
        "sizes.first_tile",
        """(float[N,T,4] x) => (float[N,4] y) <int64[1] axes = {1}> { y = ReduceMax<keepdims = 0>(x, axes) }""",
        shows="lengths above 64",
        sizes={"T": (7, 200)},
    ),
    Plant(
        "sizes.unrolled",
        "(float[N,4] x) => (float[1,4] y) <int64[1] axes = {0}> { y = ReduceSum(x, axes) }",
        shows="batches above 4",
    ),
)

NUMBERS = (
    Plant(
        "numbers.through_int8",
        "(int32[N,6] x) => (int32[N,6] y) { p = Cast<to = 3>(x) q = Cast<to = 6>(p) y = Add(q, x) }",
        shows="whole numbers above 127",
        ints=(-1000, 1000),
    ),
    Plant(
        "numbers.through_whole",
        "(float[N,6] x) => (float[N,6] y) { p = Cast<to = 6>(x) q = Cast<to = 1>(p) y = Sub(x, q) }",
    ),
    Plant(
        "numbers.in_int32",
        "(int64[N,6] x) => (int64[N,6] y) <int64 c = {1000000}> { y = Mul(x, c) }",
        shows="whole numbers above 2000",
        ints=(-100000, 100000),
    ),
    Plant(
        "numbers.floored",
        "(int64[N,6] x) => (int64[N,6] y) <int64 c = {4}> { y = Div(x, c) }",
        shows="whole numbers below zero",
    ),
    Plant(
        "numbers.saturated",
        "(uint8[N,6] x) => (uint8[N,6] y) <uint8 a = {200}, uint8 b = {100}> { p = Add(x, a) y = Add(p, b) }",
        ints=(0, 255),
    ),
    Plant(
        "numbers.tie_lost",
        """(int64[N,6] x) => (float[N,6] y) <int64 c = {100}> { p = GreaterOrEqual(x, c) y = Cast<to = 1>(p) }""",
        shows="100 itself",
        ints=(95, 105),
    ),
    Plant(
        "numbers.never_equal",
        """(float[N,6] x) => (float[N,6] y) <float c = {2.0}, float a = {9.0}> {
           p = Equal(x, c) y = Where(p, a, x) }""",
        shows="2 itself",
    ),
)

STRUCTURE = (
    Plant(
        "structure.constants_by_head",
        """(float[N,4] x) => (float[N,4] y) <float[4] a = {1, 2, 3, 4}, float[4] b = {1, 2, 3, 5}> {
           p = Mul(x, a) q = Tanh(p) y = Add(q, b) }""",
    ),
    Plant(
        "structure.same_operands",
        """(float[N,4,4] x) => (float[N,4,4] y) {
           p = Softmax<axis = 1>(x) q = Softmax<axis = 2>(x) y = Sub(p, q) }""",
    ),
    Plant(
        "structure.outputs_exchanged",
        "(float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Sigmoid(x) z = Tanh(x) }",
    ),
    Plant(
        "structure.branches_swapped",
        """(float[N,4] x, bool c) => (float[N,4] y) {
           y = If(c) <then_branch = t () => (float[N,4] p) { p = Relu(x) },
                      else_branch = e () => (float[N,4] q) { q = Neg(x) }> }""",
    ),
    Plant(
        "structure.condition_assumed",
        """(float[N,4] x) => (float[N,4] y) <float most = {8.0}> {
           m = ReduceMax<keepdims = 0>(x) c = Greater(m, most)
           y = If(c) <then_branch = t () => (float[N,4] p) { p = Sigmoid(x) },
                      else_branch = e () => (float[N,4] q) { q = Neg(x) }> }""",
        shows="numbers above 8",
    ),
    Plant(
        "structure.once_less",
        """(float[N,4] x) => (float[N,4] y) <int64 n = {5}, bool more = {1}, float[4] a> {
           y = Loop(n, more, x) <body = b (int64 k, bool go, float[N,4] v) => (bool again, float[N,4] w) {
             again = Identity(go) u = Add(v, a) w = Tanh(u) }> }""",
    ),
    Plant(
        "structure.dead_in_bodies",
        """(float[N,4] x, bool c) => (float[N,4] y) <float[4] a> {
           d = Mul(x, a) f = Abs(d)
           y = If(c) <then_branch = t () => (float[N,4] p) { p = Exp(f) },
                      else_branch = e () => (float[N,4] q) { q = Neg(f) }> }""",
    ),
)

# What verification is known to miss, and says so in its documentation.
BEYOND = (
    Plant(
        "arithmetic.factor_rounded",
        """(float16[N,6,8] x) => (float16[N,6,6] y) <float16[8,6] w, float16[1] f> {
           p = MatMul(x, w) q = Mul(p, f) y = Tanh(q) }""",
        shows="an error below 1e-2, in float16",
    ),
    Plant(
        "sizes.large_tile",
        """(float[N,T,4] x) => (float[N,4] y) <int64[1] axes = {1}> { y = ReduceMax<keepdims = 0>(x, axes) }""",
        shows="lengths above 1024",
        sizes={"T": (7, 2000)},
    ),
    Plant(
        "arithmetic.max_by_where",
        """(float[N,6] x) => (float[N,4] y) <float[6] a, float[6,4] w, float[4] b> {
           p = Max(x, a) q = MatMul(p, w) r = Add(q, b) y = Relu(r) }""",
        shows="NaN, beside rewrites that promise nothing of NaN",
        nan=True,
    ),
)

PLANTS = (*ARITHMETIC, *LAYERS, *MOVEMENT, *SIZES, *NUMBERS, *STRUCTURE)

WRONG_SITES = (3, 7)
_SITE_COUNT = 10


def _sites() -> str:
    """Layers in a row, each of which subtracts a constant; at two of them it is below zero."""
    steps, weights = [], []
    for k in range(_SITE_COUNT):
        sign = -1 if k in WRONG_SITES else 1
        numbers = ", ".join(str(sign * (j + k + 1) / 10) for j in range(4))
        steps.append(f"a{k} = MatMul(v{k}, w{k}) b{k} = Sub(a{k}, c{k}) v{k + 1} = Tanh(b{k})")
        weights.append(f"float[4,4] w{k}, float[4] c{k} = {{{numbers}}}")
    return f"(float[N,4] v0) => (float[N,4] y) <{', '.join(weights)}> {{ {' '.join(steps)} y = Neg(v{_SITE_COUNT}) }}"


SITES = Plant("failing.at_some_sites", _sites(), shows="two of ten sites")

ENDING_BADLY = (
    Plant("failing.raises", "(float[N,6] x) => (float[N,6] y) <float[6,6] w> { p = MatMul(x, w) y = Tanh(p) }"),
    Plant(
        "failing.cycle",
        "(float[N,6] x) => (float[N,6] y) <float[6,6] w> { p = Exp(x) q = MatMul(p, w) y = Tanh(q) }",
    ),
    Plant("failing.nowhere", "(float[N,6] x) => (float[N,6] y) <float[6,6] w> { p = MatMul(x, w) y = Tanh(p) }"),
    Plant("failing.wrong_type", "(int32[N,6] x) => (float[N,6] y) { p = Cast<to = 1>(x) y = Sqrt(p) }", ints=(0, 9)),
    Plant("failing.crashes", "(int64[N,6] x) => (int64[N,6] y) <int64 c = {3}> { p = Add(x, c) y = Neg(p) }"),
    Plant(
        "failing.hangs",
        """(float[N,4] x) => (float[N,4] y) <int64 n = {5}, bool more = {1}, float[4] a> {
           y = Loop(n, more, x) <body = b (int64 k, bool go, float[N,4] v) => (bool again, float[N,4] w) {
             again = Identity(go) u = Add(v, a) w = Tanh(u) }> }""",
    ),
)
