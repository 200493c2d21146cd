"""What the service tells of itself: logs, metrics, traces."""

from algoexec.telemetry.logs import LogFormat, configure_logging, logger

__all__ = ["LogFormat", "configure_logging", "logger"]
