"""Redis, as the way on which commands come and events go."""
