"""Why a session cannot do what it is told."""

from algoexec.domain.errors import AlgoexecError


class SessionIsOver(AlgoexecError):
    """The session has ended; it takes no command any more."""


class NotOwnedHere(AlgoexecError):
    """Another process runs the session."""


class PositionOpen(AlgoexecError):
    """The session holds something, or is about to; the message says what."""


class NotWaiting(AlgoexecError):
    """No person is asked about the order, or not any more; the message says how it stands."""


class OtherAccount(AlgoexecError):
    """The access token is of another broker account than the session's."""
