"""Asking the products themselves, and remediating what they report."""
