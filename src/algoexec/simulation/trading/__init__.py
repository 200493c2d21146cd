"""The trading half of a simulated exchange and its broker: orders, matching, accounts. Deterministic, no IO."""
