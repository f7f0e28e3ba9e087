"""Workloads: their types, one file each, and what is read of a workload and of a pod."""
