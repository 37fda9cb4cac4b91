"""
Scores of cross-validation
==========================

`SoftmaxClassifierCV` takes the penalty with the best mean score. By the one-standard-error rule one
takes the strongest penalty whose score is hardly worse: a simpler model, which is as good as far as
the folds can tell.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.plotting import CVScoreDisplay

X, y = load_breast_cancer(return_X_y=True)
search = SoftmaxClassifierCV(Cs=np.logspace(-2.5, 2, 25), l1_ratios=[0.5, 1.0])
pipeline = make_pipeline(StandardScaler(), search).fit(X, y)
display = CVScoreDisplay.from_estimator(pipeline)

# %%
# The display knows the penalty by that rule. The model needs fewer features.

print(f"best: C = {search.C_:.3g}, {np.sum(search.coef_ != 0)} features")
model = SoftmaxClassifier(C=display.one_standard_error_C_, l1_ratio=display.best_l1_ratio_)
model.fit(StandardScaler().fit_transform(X), y)
print(f"one standard error: C = {model.C:.3g}, {np.sum(model.coef_ != 0)} features")
plt.show()
