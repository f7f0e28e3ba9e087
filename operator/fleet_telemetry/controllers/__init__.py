"""The controller: decides for each workload, writes, and reports. One reconciler a concern."""
