"""A server that looks like Upstox, on loopback: REST and the V3 feed over a simulated day."""
