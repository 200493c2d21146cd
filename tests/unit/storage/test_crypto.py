"""Secrets keep what they are given, and nobody else can read it."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from algoexec.storage.crypto import KEY_FILE, TokenCipher, WeakSecret

PHRASE = "correct horse battery staple"
SECRETS = [PHRASE, "0123456789abcdef", "ключ ключ ключ ключ", base64.urlsafe_b64encode(bytes(range(32))).decode()]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_sealed_is_opened_with_the_same_secret_only(secret: str) -> None:
    sealed = TokenCipher(secret).seal("token")

    assert b"token" not in sealed
    assert TokenCipher(secret).open(sealed) == "token"
    assert TokenCipher(secret + "x").open(sealed) is None


def test_a_fernet_key_is_taken_as_it_is() -> None:
    key = Fernet.generate_key()

    assert Fernet(key).decrypt(TokenCipher(key.decode()).seal("token")) == b"token"


def test_an_old_secret_still_opens_and_the_new_one_seals() -> None:
    old = TokenCipher.from_text(PHRASE)
    both = TokenCipher.from_text(f"a new secret of length, {PHRASE} ,")

    assert both.open(old.seal("token")) == "token"
    assert old.open(both.seal("token")) is None


def test_what_was_tampered_with_is_not_opened() -> None:
    cipher = TokenCipher(PHRASE)
    sealed = bytearray(cipher.seal("token"))
    sealed[20] ^= 1

    assert cipher.open(bytes(sealed)) is None
    assert cipher.open(b"") is None


@pytest.mark.parametrize("text", ["", " , ", "short", f"{PHRASE},short", "fifteen letters"])
def test_a_weak_secret_is_refused(text: str) -> None:
    with pytest.raises(WeakSecret):
        TokenCipher.from_text(text)


def test_a_secret_does_not_show() -> None:
    assert PHRASE not in repr(TokenCipher(PHRASE))


def test_a_data_folder_gets_a_key_of_its_own_that_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sealed = TokenCipher.from_folder(folder).seal("token")

    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert TokenCipher.from_folder(folder).open(sealed) == "token"
    assert TokenCipher.from_folder(tmp_path / "other").open(sealed) is None


def test_of_several_that_make_the_key_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ciphers = list(pool.map(lambda _: TokenCipher.from_folder(tmp_path), range(16)))

    sealed = ciphers[0].seal("token")
    assert {cipher.open(sealed) for cipher in ciphers} == {"token"}
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
