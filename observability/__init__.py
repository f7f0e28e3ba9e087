"""Alerts and dashboards, written once as code; `make generate` puts them into the chart."""
