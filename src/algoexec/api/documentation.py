"""What OpenAPI says beyond the routes: how to begin, the problems, the ways to prove who you are."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from algoexec.api.errors import KINDS, MEDIA_TYPE, TYPE_PREFIX, Problem

_PROBLEM_ROWS: Final = "\n".join(
    f"| `{code}` | {kind.status} | {kind.title} | {kind.when} |" for code, kind in KINDS.items()
)

DESCRIPTION: Final = f"""\
Runs one automated Bank Nifty option-scalping session per user. A session decides every closed one-minute candle of
the index; what it finds is listed here and streamed as it happens.

## Begin
1. `POST /sessions` with the user and the broker access token. `201`: the session, with its `id`.
2. Open the stream: WebSocket `/ws/signals?session_id=…` (frames: `asyncapi.yaml`) or `GET /events` (the same frames
   as server-sent events). The first frame is a `snapshot`; then comes what happens.
3. After a drop reconnect with the `cursor` of the last frame as `since` (SSE: `Last-Event-ID`): nothing is lost,
   nothing comes twice. A `gap` frame means that the cursor is no longer known; a new `snapshot` follows it.
4. `DELETE /sessions/{{id}}` ends it.

## Who you are
`Authorization: Bearer` with an API key (`ae_…`, from `algoexec keys create`) or a JWT (`sub` is the user, `scope` what
they may do). Scopes, each with those before it: `read`, `trade`, `live`, `admin`. A user's credential sees that user's
sessions, a service's everybody's; what belongs to another user is `404`. On a machine of one's own, with no key and no
JWT set up, no credential is needed.

## Times, prices, lists
Times are UTC. Prices are index points or rupees, never rounded here. Money is rupees, a number with two decimals at
most. `null` means not known, which is not zero. Lists are newest first; `cursor` of a page, handed back, gets the next
one.

## Trading
Mode `signals` only tells. Mode `paper` trades at live prices without an order leaving; mode `live` needs the scope
`live`, `config.trading.capital` and `max_daily_loss`, and a green `POST /preflight`. What is held is watched until it
is flat: `POST …/flatten` gets out, `POST …/halt` forbids entries, `POST /kill-switch` does both for all sessions of a
user and stays on. `DELETE /sessions/{{id}}` refuses while something is held, unless told to `flatten` or to
`hand_over`. With `config.trading.approval` `manual` each entry waits for `POST /orders/{{id}}/approve` or `/reject`.

## Problems
Every failure is `{MEDIA_TYPE}` (RFC 9457): switch on `code` (`type` is `{TYPE_PREFIX}` and the code), show `detail`.

| code | status | title | when |
| --- | --- | --- | --- |
{_PROBLEM_ROWS}
"""

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "sessions", "description": "Begin, look, change, end."},
    {"name": "signals", "description": "What the strategy saw: signals, and candidates that were rejected."},
    {"name": "trading", "description": "Orders and trades, the preflight, the kill switch."},
    {"name": "market", "description": "Put-call ratios, the option chain, candles with indicators."},
    {"name": "stream", "description": "Frames as they happen."},
    {"name": "configuration", "description": "What can be configured."},
    {"name": "service", "description": "Whether it lives and can work."},
]

_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})


def document(app: FastAPI) -> None:
    """Make `app.openapi` return the whole description."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=app.description,
                    tags=app.openapi_tags,
                    routes=app.routes,
                    separate_input_output_schemas=False,
                )
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    # FastAPI's own form of a validation error is never sent.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(own.pop("$defs", {}))
    schemas["Problem"] = own
    parts["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`ae_…`) or a JWT. Not needed where neither is set up, on one's own machine.",
        }
    }
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            _complete_operation(operation, is_open=path in _OPEN_PATHS)
    return schema


def _complete_operation(operation: dict[str, Any], *, is_open: bool) -> None:
    if not is_open:
        operation["security"] = [{"bearer": []}]
    invalid = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if invalid.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        # Every parameter can be wrong in its form, also where the route says nothing of it.
        operation["responses"]["422"] = {
            "description": f"`invalid-request`: {KINDS['invalid-request'].when}",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
