"""Solvers: a problem, settings and a start in, parameters out."""
