"""`algoexec keys`: who may call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer

from algoexec.cli.service import settings_or_exit
from algoexec.domain.errors import StoreError
from algoexec.ports.stores import ApiKey, Scope, Stores

app: Final = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    scope: Annotated[Scope, typer.Option(help="What the key may do; each includes those before it.")],
    user: Annotated[str | None, typer.Option(help="Whose sessions. Without it: a service key, for anybody's.")] = None,
) -> None:
    """Create a key and print it. It is shown this once; only its digest is stored."""
    from algoexec.adapters.system_clock import SystemClock
    from algoexec.api.auth import digest_of, new_key_text

    async def add(stores: Stores) -> None:
        text, prefix = new_key_text()
        key = ApiKey(
            id=prefix,
            prefix=prefix,
            digest=digest_of(text),
            scope=scope,
            user_id=user,
            created_at=SystemClock().now(),
        )
        await stores.api_keys.add(key)
        typer.echo(text)

    _with_stores(add)


@app.command(name="list")
def list_keys() -> None:
    """List the keys, without their secrets."""

    async def show(stores: Stores) -> None:
        for key in await stores.api_keys.list():
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "active"
            typer.echo(f"{key.id}  {key.scope:<5}  {key.user_id or '(service)'}  {state}")

    _with_stores(show)


@app.command()
def revoke(key_id: str) -> None:
    """Revoke a key, at once."""
    from algoexec.adapters.system_clock import SystemClock

    async def end(stores: Stores) -> None:
        if not await stores.api_keys.revoke(key_id, SystemClock().now()):
            typer.echo(f"algoexec keys: no active key {key_id}", err=True)
            raise typer.Exit(1)

    _with_stores(end)


def _with_stores(work: Callable[[Stores], Awaitable[None]]) -> None:
    from algoexec.bootstrap import open_stores

    settings = settings_or_exit("keys")

    async def run() -> None:
        async with open_stores(settings) as stores:
            await work(stores)

    try:
        asyncio.run(run())
    except StoreError as error:
        typer.echo(f"algoexec keys: {error}", err=True)
        raise typer.Exit(1) from error
