"""Upstox, and the simulator that speaks like it. No other package knows their words."""
