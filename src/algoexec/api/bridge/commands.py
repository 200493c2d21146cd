"""The commands that come over Redis, as they are written."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from algoexec.api.bridge.names import read_config
from algoexec.api.dependencies import SESSION_ID
from algoexec.api.errors import ApiProblem
from algoexec.api.schemas.sessions import NewSession, Token, UserId
from algoexec.engine.events import Mode

# A back end whose users are numbered writes the number.
_WRITTEN = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class StartData(BaseModel):
    """What `START_TRADING` says of the session."""

    model_config = _WRITTEN

    access_token: Token | None = None
    mode: Mode = Mode.SIGNALS
    config: dict[str, Any] = Field(default_factory=dict)

    def wanted(self, user_id: str) -> NewSession:
        """Return the session to begin, with its configuration under our names.

        Raises:
            ApiProblem: the configuration has a name that is not known.
            RequestValidationError: a value is not as it must be.
        """
        config = read_config(self.config)
        try:
            return NewSession.model_validate(
                {"user_id": user_id, "access_token": self.access_token, "mode": self.mode, "config": config}
            )
        except ValidationError as error:
            raise _at(error, "data") from error


class StopData(BaseModel):
    """What `STOP_TRADING` says: sell what is held first, if `flatten`; `session_id` None is the user's active one."""

    model_config = _WRITTEN

    flatten: bool = False
    session_id: Annotated[str, StringConstraints(pattern=SESSION_ID)] | None = None


class _Envelope(BaseModel):
    model_config = _WRITTEN

    user_id: UserId
    command_id: CommandId | None = None


class Start(_Envelope):
    """Begin a session."""

    action: Literal["START_TRADING"]
    data: StartData = Field(default_factory=StartData)


class Stop(_Envelope):
    """End a session."""

    action: Literal["STOP_TRADING"]
    data: StopData = Field(default_factory=StopData)


type Command = Start | Stop


class _Written(BaseModel):
    command: Annotated[Command, Field(discriminator="action")]


def read_command(written: Mapping[str, Any]) -> Command:
    """Return the command that was written.

    Raises:
        RequestValidationError: it is none.
    """
    try:
        return _Written.model_validate({"command": written}).command
    except ValidationError as error:
        raise _at(error) from error


def read_json(text: bytes) -> dict[str, Any]:
    """Return the object that `text` holds.

    Raises:
        ApiProblem: `invalid-request`: it holds none.
    """
    try:
        written = orjson.loads(text)
    except ValueError:
        written = None
    if not isinstance(written, dict):
        raise ApiProblem("invalid-request", "A command is a JSON object.")
    return written


def _at(error: ValidationError, *place: str) -> RequestValidationError:
    """Say where in the command it is; what stands there is not repeated, for it may be a token."""
    named = []
    for one in error.errors(include_url=False, include_input=False):
        inner = [part for part in one["loc"] if part not in ("command", "START_TRADING", "STOP_TRADING")]
        named.append({**one, "loc": (*place, *inner)})
    return RequestValidationError(named)
