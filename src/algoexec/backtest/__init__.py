"""The fold over history: the same `step`, with records from files."""
