"""Observes what the cluster's DNS is asked, while this replica is the leader."""
