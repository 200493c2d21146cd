"""Endpoints, a resource a file."""
