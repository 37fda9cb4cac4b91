"""Truncated Newton steps on sparse rows, by conjugate gradients."""
