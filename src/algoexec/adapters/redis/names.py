"""What things are called in Redis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """The channels and keys that begin with `prefix`."""

    prefix: str

    @property
    def commands(self) -> str:
        """The channel on which commands come; what is sent while nobody listens is lost."""
        return f"{self.prefix}:commands"

    @property
    def stream(self) -> str:
        """The stream by which the same commands come and none is lost."""
        return f"{self.prefix}:commands:stream"

    @property
    def events(self) -> str:
        """The channel on which events go."""
        return f"{self.prefix}:events"

    @property
    def cursor(self) -> str:
        """Where the cursor behind the last event that was published is kept."""
        return f"{self.prefix}:events:cursor"

    @property
    def group(self) -> str:
        """The consumer group of the stream, and our name in it."""
        return "algoexec"
