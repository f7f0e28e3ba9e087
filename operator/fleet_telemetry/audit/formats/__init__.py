"""The forms in which an audit is written: one file each, and a line in ``registry.py``."""
