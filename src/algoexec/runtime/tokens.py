"""How long an access token lives, and what goes with its session."""

import base64
import binascii
import json
from datetime import UTC, datetime, time, timedelta
from typing import Final

from algoexec.domain.calendar import IST, ist
from algoexec.domain.errors import DecodeError
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.stores import Stores

DEATH: Final = time(3, 30)
"""Upstox ends every access token at the next 03:30 IST, whenever it was issued (docs/upstox.md §3)."""


def expiry_of(token: AccessToken, now: datetime) -> datetime:
    """Return when `token` dies, wall time: its own `exp` when it is a JWT, else the next 03:30 IST.

    The signature is the broker's to check; here only the date is read.
    """
    return _jwt_expiry(token) or next_death(now)


def next_death(now: datetime) -> datetime:
    """Return the next 03:30 IST after `now`, UTC."""
    today = now.astimezone(IST).date()
    death = ist(today, DEATH)
    return death if death > now else ist(today + timedelta(days=1), DEATH)


async def keep_secrets(
    stores: Stores, session_id: str, *, token: AccessToken | None, egress: Egress, now: datetime
) -> None:
    """Keep a session's token, if there is one, and what `egress` says; what it does not say stays as it is.

    A way that cannot be read any more stays so until a proxy is named: nothing may leave directly instead.
    """
    if egress != DIRECT:
        kept: Egress | None
        try:
            kept = await stores.egresses.get(session_id)
        except DecodeError:
            kept = None if egress.proxy is None else DIRECT
        if kept is not None:
            await stores.egresses.put(session_id, Egress(egress.proxy or kept.proxy, egress.algo or kept.algo))
    if token is not None:
        await stores.tokens.put(session_id, token, expiry_of(token, now))


async def forget_secrets(stores: Stores, session_id: str) -> None:
    """Delete what only a session that is under way needs: its token, and the way by which its orders leave."""
    await stores.tokens.delete(session_id)
    await stores.egresses.delete(session_id)


def _jwt_expiry(token: AccessToken) -> datetime | None:
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return None
