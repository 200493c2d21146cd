"""Many parameter sets over the same days: which is best, whether that is luck, and what would have been chosen."""
