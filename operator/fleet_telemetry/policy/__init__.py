"""Which policy is in effect for a channel of a workload."""
