"""Metric table → one or two sentences that say what to see, written by rule: same figures, same words."""
