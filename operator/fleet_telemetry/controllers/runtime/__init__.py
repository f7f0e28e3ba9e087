"""Checks products by their own APIs, and remediates their settings."""
