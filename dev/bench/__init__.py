"""Measures the cost of the operator, such as that of admission and of a large fleet."""
