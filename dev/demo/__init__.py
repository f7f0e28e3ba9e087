"""`make demo`: the main job of the operator, on a local cluster."""
