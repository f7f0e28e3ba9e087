"""Runs the operator on a local cluster the way its chart says, for the demo, tests and bench."""
