"""Tests of policies: manifests, policies, and what has to come out."""
