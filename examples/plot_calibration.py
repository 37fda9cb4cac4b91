"""
Calibration of several classes
==============================

Probabilities are calibrated if, of all samples that were given a probability of 0.8 for a class, 80
percent are of that class. Without a penalty, a model of many features and few samples is too sure.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.plotting import MulticlassCalibrationDisplay

random = np.random.default_rng(0)
X = random.standard_normal((8_000, 40))
logits = X @ random.normal(scale=0.3, size=(40, 3)) + random.gumbel(size=(8_000, 3))
y = np.array(["low", "medium", "high"])[logits.argmax(axis=1)]
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=0)

# %%
# The curves of a model that is too sure are flatter than the diagonal. ECE is the expected
# calibration error.

model = SoftmaxClassifier(C=100.0).fit(X_train, y_train)
display = MulticlassCalibrationDisplay.from_estimator(model, X_test, y_test, histogram=True)
display.ax_.set_title("Hardly any penalty")

# %%
# Cross-validation, by the log loss, finds a penalty with better probabilities.

model = SoftmaxClassifierCV().fit(X_train, y_train)
display = MulticlassCalibrationDisplay.from_estimator(model, X_test, y_test, histogram=True)
display.ax_.set_title(f"C = {model.C_:.3g}, chosen by cross-validation")
plt.show()
