"""Why the service does not start."""

from algoexec.domain.errors import AlgoexecError


class CannotStart(AlgoexecError):
    """The service cannot start as it is set up; the message says what to do."""
