"""Recorded market data from files."""
