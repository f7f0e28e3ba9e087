"""Why one workload is judged as it is."""
