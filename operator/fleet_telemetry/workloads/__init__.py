"""Workload types: where the pod template is, and what a change of it does."""
