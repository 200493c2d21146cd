"""Whether the memory answers: a database that is away, for tests of those who must live with it."""

from algoexec.domain.errors import StoreUnavailable


class Reach:
    """Shared by all stores of one `MemoryStores`."""

    def __init__(self) -> None:
        """Begin reachable."""
        self.is_open = True

    def check(self) -> None:
        """Raise `StoreUnavailable` while it is closed."""
        if not self.is_open:
            raise StoreUnavailable("the memory was told not to answer")
