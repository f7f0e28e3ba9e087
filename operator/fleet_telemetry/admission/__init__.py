"""Admission: settings go into workloads as they come in."""
