"""Faults on purpose: named, seeded scripts of what goes wrong at a real broker, and where they take hold."""
