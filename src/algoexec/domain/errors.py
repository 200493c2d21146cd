"""What can go wrong, by what the caller must do.

AlgoexecError
├── DomainError              fix the code: the session halts, loudly
│   └── InvalidMarketData    a value that cannot be (naive time, high below low)
├── BrokerError
│   ├── BrokerUnavailable    retry: surely unsent, or a read that did not answer
│   ├── BrokerRefused        tell the user: the broker understood and said no
│   │   ├── TokenRefused     ask for a new token
│   │   └── FeedTaken        wait: another program holds the one feed connection
│   ├── RateLimited          wait: the broker's limit, or ours before it
│   └── OutcomeUnknown       reconcile, never resend
├── DecodeError              drop and count: the wire said something unknown
└── StoreError
    ├── StoreUnavailable     retry: the database did not answer
    └── FenceLost            stop: another owner wrote this session's journal
"""


class AlgoexecError(Exception):
    """Root of every error that this project raises."""


class DomainError(AlgoexecError):
    """A contradiction inside the core: the code is wrong."""


class InvalidMarketData(DomainError):
    """A market value that cannot be, such as a high below the low."""


class BrokerError(AlgoexecError):
    """The broker, or the way to it, did not do what was asked."""


class BrokerUnavailable(BrokerError):
    """Surely unsent, or a read that got no usable answer: safe to retry."""


class BrokerRefused(BrokerError):
    """The broker understood the request and refused it.

    `code` is the broker's own error code, None when it gave none.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """Keep the broker's code beside its words."""
        super().__init__(message)
        self.code = code


class TokenRefused(BrokerRefused):
    """The access token is invalid or dead; only a new one helps."""


class FeedTaken(BrokerRefused):
    """The feed handshake was refused with 403: another program holds the one connection."""


class RateLimited(BrokerError):
    """A rate limit was reached, the broker's or our own ahead of it."""


class OutcomeUnknown(BrokerError):
    """A write was sent and its outcome is not known: look it up, never resend."""


class DecodeError(AlgoexecError):
    """The wire carried something that has no meaning here."""


class StoreError(AlgoexecError):
    """The database did not do what was asked."""


class StoreUnavailable(StoreError):
    """The database did not answer."""


class FenceLost(StoreError):
    """Another owner has written this `(session, seq)`: this one must stop."""


class BadRecording(AlgoexecError):
    """A recorded day cannot be read; the message names file and line."""
