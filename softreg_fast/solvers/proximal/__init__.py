"""Proximal Newton steps on working sets of features, for L1 penalties of any width."""
