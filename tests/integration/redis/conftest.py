"""A service whose commands come from a real Redis and whose events go there."""

from tests.fixtures_redis import redis_server

__all__ = ["redis_server"]
