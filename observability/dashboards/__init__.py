"""Grafana dashboards, built in Python; the JSON in the chart is made from them."""
