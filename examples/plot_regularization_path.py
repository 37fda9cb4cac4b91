"""
Regularization paths
====================

The weaker the penalty, the larger the coefficients. With an L1 penalty on groups, a feature has
coefficients of all classes or of none, and features come in one after the other.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifierCV
from softreg_fast.plotting import RegularizationPathDisplay

X, y = load_wine(return_X_y=True, as_frame=True)
search = SoftmaxClassifierCV(Cs=np.logspace(-2, 1, 40), l1_ratios=[1.0], penalty_groups="features")
pipeline = make_pipeline(StandardScaler(), search).fit(X, y)

# %%
# A line is the norm of a feature's coefficients over the classes, on average over the folds.

RegularizationPathDisplay.from_estimator(pipeline)

# %%
# The coefficients of one class have signs. These are the models of one fold.

RegularizationPathDisplay.from_estimator(pipeline, class_name=0, fold=0)
plt.show()
