"""Encryption of broker tokens at rest."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_SECRET: Final = 16
"""Characters. A shorter one could be found by trying."""

KEY_FILE: Final = "secret.key"


class WeakSecret(ValueError):
    """A secret that is empty or too short to protect anything."""


class TokenCipher:
    """Seals short texts. The first secret seals, all of them open: that is how keys are rotated."""

    __slots__ = ("_fernet",)

    def __init__(self, *secret: str) -> None:
        """Take one or more secrets: Fernet keys as they are, anything else through HKDF-SHA256.

        Raises:
            WeakSecret: none is given, or one has fewer than 16 characters.
        """
        if not secret:
            raise WeakSecret("no secret is given")
        self._fernet = MultiFernet([Fernet(_key_of(one)) for one in secret])

    @classmethod
    def from_text(cls, text: str) -> "TokenCipher":
        """Take secrets separated by commas, as a setting carries them; the newest first."""
        return cls(*(part for one in text.split(",") if (part := one.strip())))

    @classmethod
    def from_folder(cls, folder: Path) -> "TokenCipher":
        """Take the key file of a data folder, made (mode 0600) when there is none."""
        return cls.from_text(key_file(folder))

    def seal(self, text: str) -> bytes:
        """Return `text` encrypted and signed."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str | None:
        """Return the text; None when none of the secrets sealed it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None


def _key_of(secret: str) -> bytes:
    if len(secret) < SHORTEST_SECRET:
        raise WeakSecret(f"a secret has at least {SHORTEST_SECRET} characters")
    try:
        if len(base64.b64decode(secret, altchars=b"-_", validate=True)) == 32:
            return secret.encode()
    except ValueError:
        pass
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"algoexec broker tokens").derive(secret.encode())
    return base64.urlsafe_b64encode(derived)


def key_file(folder: Path) -> str:
    """Return the secret of a data folder, made (mode 0600) when there is none.

    It is made whole beside its place and linked there: of two makers one wins.
    """
    path = folder / KEY_FILE
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(Fernet.generate_key())
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text("ascii")
