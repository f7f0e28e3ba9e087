"""Runs the operator on a local cluster as its chart installs it, for the demo, tests and bench."""
