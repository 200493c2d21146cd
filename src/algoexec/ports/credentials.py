"""A broker access token that cannot be printed by accident."""

import hashlib
from typing import Final, final


@final
class AccessToken:
    """A broker access token. Its text comes out of `reveal` alone, never of a log or a trace."""

    __slots__ = ("_text", "fingerprint")

    def __init__(self, text: str) -> None:
        """Wrap `text`; a leading or trailing blank is a paste error and dropped."""
        self._text: Final = text.strip()
        self.fingerprint: Final = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        """Tells two tokens apart without telling either."""

    def reveal(self) -> str:
        """Return the token itself, for an Authorization header."""
        return self._text

    def __repr__(self) -> str:
        """Show the fingerprint only."""
        return f"AccessToken({self.fingerprint})"

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, AccessToken) and other._text == self._text

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self.fingerprint)
