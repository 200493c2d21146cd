"""What commands that can trade have in common: for whom, by which rules, with which token, and whether it may be.

HTTP and Redis come through here alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr, ValidationError

from algoexec.api.auth import LOCAL, Caller
from algoexec.api.dependencies import require, scope_for
from algoexec.api.errors import ApiProblem, missing
from algoexec.api.schemas.sessions import NewSession
from algoexec.api.schemas.trading import PreflightOut
from algoexec.api.services import ApiOptions
from algoexec.api.trading_config import NEEDED_LIVE, TradingConfig
from algoexec.engine.events import Mode
from algoexec.engine.trading.rules import TradeRules
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress, ProxyAddress
from algoexec.runtime.registry import Registry
from algoexec.runtime.views import SessionView

NOT_TRADED: Final = "mode `signals` trades nothing"


async def begin_session(
    registry: Registry, options: ApiOptions, caller: Caller, body: NewSession, *, session_id: str | None = None
) -> SessionView:
    """Begin a session; `session_id` None gives it a new one.

    Raises:
        ApiProblem: the caller may not, or the request contradicts itself; else as `Registry.create`.
    """
    if (problem := why_not_begin(body.mode, caller, options)) is not None:
        raise problem
    user_id = named_user(caller, body.user_id, "body.user_id")
    rules = checked_rules(body)
    token, egress = token_of(body.access_token), egress_of(body.egress_proxy, body.algo_name, body.mode)
    if body.mode is Mode.LIVE:
        await require_green(registry, user_id, token, egress)
    return await registry.create(
        user_id=user_id,
        token=token,
        mode=body.mode,
        parameters=body.config.parameters(),
        rules=rules,
        session_id=session_id,
        egress=egress,
    )


def named_user(caller: Caller, user_id: str | None, field: str) -> str:
    """Return whose sessions a request is about: of the user that it names, or of the caller.

    Raises:
        ApiProblem: `forbidden`, or `invalid-request` for a service that names nobody.
    """
    named_or_own = user_id or caller.user_id
    if named_or_own is None:
        raise missing(field, why="a service credential must say whose session it is")
    if not caller.may_act_for(named_or_own):
        raise ApiProblem("forbidden", "This credential may only act for its own user.")
    return named_or_own


def why_not_begin(mode: Mode, caller: Caller, options: ApiOptions) -> ApiProblem | None:
    """Return what forbids that caller a session of that mode here; None when nothing does."""
    if mode not in options.modes:
        return ApiProblem("mode-not-available", f"Mode `{mode}` is not available here.")
    if mode is Mode.LIVE and caller is LOCAL and options.risks_money:
        return ApiProblem(
            "forbidden", "Orders for real money need a key or a JWT: `algoexec keys create --scope live`."
        )
    try:
        require(caller, scope_for(mode))
    except ApiProblem as problem:
        return problem
    return None


def token_of(secret: SecretStr | None) -> AccessToken | None:
    """Return the access token of a request; None when it has none."""
    return None if secret is None else AccessToken(secret.get_secret_value())


def egress_of(proxy: SecretStr | None, algo: str | None, mode: Mode) -> Egress:
    """Return how the orders of a session shall leave.

    Raises:
        ApiProblem: `invalid-request`: none leaves in that mode.
    """
    given = {"body.egress_proxy": proxy, "body.algo_name": algo}
    if mode is not Mode.LIVE and (named := [name for name, value in given.items() if value is not None]):
        raise missing(*named, why=f"mode `{mode}` sends no order")
    return Egress(None if proxy is None else ProxyAddress(proxy.get_secret_value()), algo)


def checked_rules(body: NewSession) -> TradeRules | None:
    """Return what a new session may risk; None where nothing is traded.

    Raises:
        ApiProblem: `invalid-request`: rules for a session that trades nothing, or none for real money.
    """
    trading = body.config.trading
    if body.mode is Mode.SIGNALS:
        if trading is not None:
            raise missing("body.config.trading", why=NOT_TRADED)
        return None
    given = trading.model_fields_set if trading is not None else set()
    absent = [f"body.config.trading.{name}" for name in NEEDED_LIVE if name not in given]
    if body.mode is Mode.LIVE and absent:
        raise missing(*absent, why="must be given in mode `live`")
    return (trading or TradingConfig()).rules()


async def require_green(registry: Registry, user_id: str, token: AccessToken | None, egress: Egress) -> None:
    """Return if the user could trade live now.

    Raises:
        ApiProblem: `preflight-failed`, with the checks.
    """
    found = PreflightOut.of(await registry.preflight(user_id=user_id, token=token, mode=Mode.LIVE, egress=egress))
    if not found.green:
        failed = "; ".join(f"{check.name}: {check.detail}" for check in found.checks if check.ok is False)
        raise ApiProblem("preflight-failed", failed, checks=[check.model_dump() for check in found.checks])


@contextmanager
def named(*place: str) -> Iterator[None]:
    """Say where in the request it is, should what is built from it contradict itself.

    Raises:
        RequestValidationError: it does.
    """
    try:
        yield
    except ValidationError as error:
        places = [{**one, "loc": (*place, *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(places) from error
