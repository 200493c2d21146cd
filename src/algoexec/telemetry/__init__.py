"""What the service tells of itself: logs, metrics, traces."""

from algoexec.telemetry.logs import LOUDNESS, LogFormat, LogLevel, configure_logging, logger

__all__ = ["LOUDNESS", "LogFormat", "LogLevel", "configure_logging", "logger"]
