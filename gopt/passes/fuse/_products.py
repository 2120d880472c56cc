"""Gemm, and MatMul of matrices, as one thing: alpha * A' * B' + beta * C (operators Gemm and MatMul)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ... import ops
from ...ir import Array, DType, Op, Shape, Value
from ...rewrite import RejectError, Rewriter
from ._affine import FLOATS, Affine, along, dtype_of, elements, fits, multiplied, rounded, shape_of, weighted_rows


@dataclass(frozen=True)
class Product:
    """A product of matrices.

    Attributes:
        a, b: the factors, [M, K] and [K, N], either of them transposed if its flag says so.
        c: what is added, if anything is.
        dtype: element type.
        name: the node's name.
    """

    a: Value
    b: Value
    c: Value | None
    dtype: DType
    alpha: float = 1.0
    beta: float = 1.0
    transpose_a: bool = False
    transpose_b: bool = False
    name: str = ""

    @staticmethod
    def of(op: Op) -> Product:
        """The product that a Gemm or MatMul computes.

        Raises:
            RejectError: it is no product of matrices of floating-point numbers.
        """
        a, b = op.inputs[:2]
        dtype = None if a is None else dtype_of(a)
        if a is None or b is None or dtype not in FLOATS or dtype is None:
            raise RejectError(f"{op.label} is not of floating-point numbers")
        if op.op_type == "MatMul":
            if any(len(shape_of(v) or ()) != 2 for v in (a, b)):
                raise RejectError(f"{op.label} is not known to be of matrices")
            return Product(a, b, None, dtype, name=op.name)
        alpha, beta, ta, tb = (ops.attribute(op, n) for n in ("alpha", "beta", "transA", "transB"))
        return Product(a, b, op.input(2), dtype, alpha, beta, bool(ta), bool(tb), op.name)

    @property
    def columns(self) -> int:
        """N.

        Raises:
            RejectError: it is not known.
        """
        shape = shape_of(self.b)
        n = None if shape is None or len(shape) != 2 else shape[0 if self.transpose_b else 1]
        if not isinstance(n, int):
            raise RejectError("the number of columns is not known")
        return n

    @property
    def shape(self) -> Shape:
        """[M, N].

        Raises:
            RejectError: N is not known.
        """
        rows = shape_of(self.a)
        if rows is None or len(rows) != 2:
            raise RejectError("the number of rows is not known")
        return (rows[1 if self.transpose_a else 0], self.columns)

    def weights(self) -> Array:
        """The elements of b, as they are stored.

        Raises:
            RejectError: b is no constant matrix.
        """
        if self.b.const is None or len(self.b.const.shape) != 2:
            raise RejectError("the second factor is no constant matrix")
        return self.b.const.numpy()

    def scale_columns(self, rw: Rewriter, factor: Array) -> Value:
        """b with column n `factor[n]` times as large."""
        return self._scaled(rw, factor.reshape((-1, 1) if self.transpose_b else (1, -1)))

    def scale_rows(self, rw: Rewriter, factor: Array) -> Value:
        """b with row k `factor[k]` times as large."""
        return self._scaled(rw, factor.reshape((1, -1) if self.transpose_b else (-1, 1)))

    def _scaled(self, rw: Rewriter, factor: Array) -> Value:
        weights = self.weights()
        if any(f not in (1, w) for f, w in zip(factor.shape, weights.shape)):
            raise RejectError(f"{factor.size} factors for weights of shape {list(weights.shape)}")
        return rw.const(multiplied(weights, factor, self.dtype), name=self.b.name)

    def response(self, level: Array) -> Array:
        """What a raise of column k of a by `level[k]` adds to each column of the result, [1, N].

        Raises:
            RejectError: b is not constant.
        """
        weights = self.weights()
        if self.transpose_b:
            weights = weights.T
        return self.alpha * weighted_rows(level, weights)[None]

    def addend(self) -> Array | None:
        """beta * c in float64; None if there is none.

        Raises:
            RejectError: c is not constant.
        """
        return None if self.c is None else elements(self.c) * self.beta

    def with_addend(self, rw: Rewriter, addend: Array | None) -> Product:
        """The product with another constant addend.

        Raises:
            RejectError: it would enlarge the result, or overflow.
        """
        if addend is None:
            return replace(self, c=None, beta=1.0)
        if not fits(addend.shape, self.shape):
            raise RejectError(f"an addend of shape {list(addend.shape)} may enlarge the result")
        name = "bias" if self.c is None else self.c.name
        return replace(self, c=rw.const(rounded(addend, self.dtype), name=name), beta=1.0)

    def then(self, rw: Rewriter, affine: Affine) -> Product:
        """The product followed by a map: a factor per column, and any shift.

        Raises:
            RejectError: it can't be folded into the second factor and the addend, nor into alpha and beta.
        """
        factor = along(affine.scale, self.shape, 1)
        if affine.shift is None and factor is not None and not self._is_constant():
            return self._scaled_by_attributes(factor)
        product, addend = self, self.addend()
        if factor is not None:
            product = replace(self, b=self.scale_columns(rw, factor))
            addend = None if addend is None else addend * factor
        if affine.shift is not None:
            addend = affine.shift if addend is None else addend + affine.shift
        return product.with_addend(rw, addend)

    def _is_constant(self) -> bool:
        return self.b.const is not None and (self.c is None or self.c.const is not None)

    def _scaled_by_attributes(self, factor: Array) -> Product:
        if len(factor) != 1:
            raise RejectError("the product is not constant but for its first factor")
        wanted = self.alpha * factor[0], self.beta * factor[0]
        with np.errstate(over="ignore", under="ignore"):
            alpha, beta = (float(np.float32(v)) for v in wanted)
        if not (np.isfinite(alpha) and np.isfinite(beta)) or not alpha:
            raise RejectError("alpha or beta would overflow or vanish")
        if self.dtype is DType.DOUBLE and (alpha, beta) != wanted:
            raise RejectError("attributes are of single precision")
        return replace(self, alpha=alpha, beta=beta)

    def surely_takes(self, c: Value) -> bool:
        """True if `c` can be the addend: it broadcasts to the result, whatever unknown sizes are."""
        shape = shape_of(c)
        if shape is None or len(shape) > 2 or dtype_of(c) is not self.dtype:
            return False
        return all(d == 1 or d == wanted for d, wanted in zip(shape[::-1], self.shape[::-1]))

    def gemm(self, rw: Rewriter) -> Value:
        """Stage it as a Gemm."""
        result: Value = rw.Gemm(
            self.a,
            self.b,
            self.c,
            name=self.name,
            alpha=None if self.alpha == 1 else self.alpha,
            beta=None if self.beta == 1 or self.c is None else self.beta,
            transA=1 if self.transpose_a else None,
            transB=1 if self.transpose_b else None,
        )
        return result
