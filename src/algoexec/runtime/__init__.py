"""All concurrency: sessions, market desks, journal writer, streams."""
