"""The file that says what each user of the simulator has and may do; YAML or JSON.

users:
  ann:
    funds: 250000
    static_ips: [127.0.0.1]
  bob: {plan: standard, disabled_segments: [NSE_FO]}
others: refuse
"""

from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

type Address = IPv4Address | IPv6Address

type Segment = Literal["NSE_EQ", "BSE_EQ", "NSE_FO", "BSE_FO", "NCD_FO", "BCD_FO", "MCX_FO", "NSE_COM"]
"""What a user can be allowed to trade. Source: Upstox's kill-switch documentation, 2026."""

CRORE: Final = Decimal("10000000.00")


class Plan(StrEnum):
    """What a user pays for. Source: 2 and 5 feed connections as reported in 2026; `full_d30` with Plus alone."""

    STANDARD = "standard"
    PLUS = "plus"


_CONNECTIONS: Final = {Plan.STANDARD: 2, Plan.PLUS: 5}


class Account(BaseModel):
    """What one user has and may do. Without a word about it, nothing is barred.

    `funds` are rupees at the start. `plan` None bars no feed mode and leaves the number of connections to
    the simulator's setting; `feeds` is that number whatever the plan. `static_ips` are the primary and the
    secondary address that orders must come from; without any they may come from anywhere, unless
    `require_static_ip`. `extended` makes the user's tokens read-only and long-lived. `refuse` turns the
    user away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    funds: Annotated[Decimal, Field(ge=0, decimal_places=2, max_digits=15)] = CRORE
    plan: Plan | None = None
    feeds: Annotated[int, Field(ge=1)] | None = None
    static_ips: Annotated[tuple[Address, ...], Field(max_length=2)] = ()
    require_static_ip: bool = False
    disabled_segments: frozenset[Segment] = frozenset()
    registered_algo: bool = False
    extended: bool = False
    refuse: bool = False

    @property
    def funds_paise(self) -> int:
        """Money at the start, in whole paise."""
        return int(self.funds * 100)

    def connections(self, default: int) -> int:
        """Return how many market-data feeds the user may hold; `default` where nothing is said."""
        if self.feeds is not None:
            return self.feeds
        return default if self.plan is None else _CONNECTIONS[self.plan]


class Users(BaseModel):
    """All users of a simulator. A `user:` token must name one of them; `others` are tokens of any other form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: dict[Annotated[str, Field(pattern=r"^[^:\s]+$")], Account] = {}
    others: Literal["accept", "refuse"] = "accept"


class BadUsersFile(ValueError):
    """A users file that cannot be read; says where."""


def read_users(path: Path) -> Users:
    """Return what a users file says; JSON is YAML too.

    Raises:
        BadUsersFile: it is missing, no YAML, or says something that has no meaning.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadUsersFile(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadUsersFile(f"{path}: it is no UTF-8") from error
    except yaml.YAMLError as error:
        raise BadUsersFile(_placed(path, error)) from error
    try:
        return Users.model_validate({} if content is None else content)
    except ValidationError as error:
        raise BadUsersFile(_named(path, error)) from error


def _placed(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"
    return f"{path}{place}: {getattr(error, 'problem', None) or error}"


def _named(path: Path, error: ValidationError) -> str:
    found = (f"{'.'.join(str(part) for part in each['loc']) or 'file'}: {each['msg']}" for each in error.errors())
    return f"{path}: {'; '.join(found)}"
