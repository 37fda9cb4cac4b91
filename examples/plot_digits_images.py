"""
Coefficients of pixels
======================

Where features are pixels, the coefficients of a class are an image: red where ink speaks for the
class, and blue where it speaks against it.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from softreg_fast import SoftmaxClassifier
from softreg_fast.plotting import CoefficientDisplay

X, y = load_digits(return_X_y=True)
model = SoftmaxClassifier(C=0.001).fit(X, y)
CoefficientDisplay.from_estimator(model, image_shape=(8, 8))

# %%
# Two digits share one image.

is_kept = y < 2
model = SoftmaxClassifier(C=0.001).fit(X[is_kept], y[is_kept])
CoefficientDisplay.from_estimator(model, image_shape=(8, 8))
plt.show()
