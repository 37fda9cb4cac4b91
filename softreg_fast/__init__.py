"""Softmax (multinomial logistic) regression on compiled kernels."""

from .reference import categorical_crossentropy, sigmoid, softmax
from .regressor import SoftmaxRegressor
from .warming import warm_up

__version__ = "0.1.0"

__all__ = ["SoftmaxRegressor", "categorical_crossentropy", "sigmoid", "softmax", "warm_up"]
