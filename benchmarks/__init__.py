"""Measurements with the peers beside them; `python -m benchmarks [NAME …]` prints the tables."""
