"""Metric table → plotly figure, by the subjects of ``metrics``; a figure never computes a metric."""
