"""The forms of a list of hosts: one file each, and a line in ``registry.py``."""
