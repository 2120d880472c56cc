"""Traditional machine learning (domain ai.onnx.ml): functions of their operands; onnx infers most of the shapes."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import DType, Op, TensorType, Type
from .contents import dims
from .registry import define, shape_rule
from .shapes import same_as_first, tensor
from .sizes import product

DOMAIN = "ai.onnx.ml"

for _name in (
    "CastMap",
    "CategoryMapper",
    "DictVectorizer",
    "FeatureVectorizer",
    "LabelEncoder",
    "LinearClassifier",
    "LinearRegressor",
    "OneHotEncoder",
    "SVMClassifier",
    "SVMRegressor",
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "ZipMap",
):
    define(_name, domain=DOMAIN)

for _name in ("Binarizer", "Imputer"):
    define(_name, domain=DOMAIN, infer=same_as_first)


@shape_rule("Normalizer", "Scaler", domain=DOMAIN)
def _to_float(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    return (TensorType(DType.FLOAT, None if data is None else data.shape),)


@shape_rule("ArrayFeatureExtractor", domain=DOMAIN)
def _array_feature_extractor(op: Op) -> Sequence[Type | None]:
    data, picks = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    if data.shape is None or picks is None or picks.shape is None or not data.shape:
        return (TensorType(data.dtype),)
    lead = data.shape[:-1] if len(data.shape) > 1 else (1,)
    return (TensorType(data.dtype, (*lead, *dims([product(picks.shape)]))),)  # all indices, whatever their shape
