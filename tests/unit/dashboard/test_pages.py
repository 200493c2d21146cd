"""How the page is served: from memory, compressed, cached by content, under a strict policy."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from algoexec.dashboard.pages import STATIC, routes


def client_of(static: Path = STATIC) -> httpx.AsyncClient:
    """Return a browser of the page whose files are in `static`."""
    transport = httpx.ASGITransport(Starlette(routes=routes(static)))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """Something that asks for the page."""
    async with client_of() as client:
        yield client


async def test_every_file_that_the_page_names_is_there(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/")
    named = re.findall(r'(?:href|src)="([^"]+)"', page.text)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert len(named) > 5
    for path in named:
        answer = await browser.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]


async def test_every_module_that_a_module_imports_is_there(browser: httpx.AsyncClient) -> None:
    base = re.findall(r'src="(/ui/\w+)/js/main.js"', (await browser.get("/")).text)[0]
    seen: set[str] = set()
    waiting = ["js/main.js"]
    while waiting:
        name = waiting.pop()
        if name in seen or name.startswith("vendor/"):
            continue
        seen.add(name)
        answer = await browser.get(f"{base}/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        imported = re.findall(r'^(?:import|export)[^"\n]*"(\.[^"]+)";$', answer.text, re.MULTILINE)
        waiting += [((STATIC / name).parent / path).resolve().relative_to(STATIC).as_posix() for path in imported]

    written = {path.relative_to(STATIC).as_posix() for path in (STATIC / "js").rglob("*.js")}
    assert written - seen == {"js/api/types.js"}, "a module that nobody imports"


async def test_text_travels_compressed_to_who_takes_it(browser: httpx.AsyncClient) -> None:
    packed = await browser.get("/", headers={"Accept-Encoding": "gzip"})
    plain = await browser.get("/", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, mtime=0))


@pytest.mark.parametrize("path", ["/", "/ui/x/js/main.js", "file"])
async def test_nothing_runs_that_is_not_ours(browser: httpx.AsyncClient, path: str) -> None:
    if path == "file":
        path = re.findall(r'src="([^"]+)"', (await browser.get("/")).text)[0]
    answer = await browser.get(path)
    if answer.status_code == 404 and path.startswith("/ui/x"):
        return  # another version's path is no path at all

    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_is_not_listed_is_not_served(browser: httpx.AsyncClient) -> None:
    base = re.findall(r'src="(/ui/\w+)/', (await browser.get("/")).text)[0]

    for name in ("nothing.js", "../pages.py", "%2e%2e/pages.py", "vendor/lightweight-charts/lightweight-charts.d.ts"):
        assert (await browser.get(f"{base}/{name}")).status_code == 404, name


async def test_other_content_has_another_path(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="{{base}}/a.js"></script>')
    seen = []
    for text in ("1", "2"):
        (tmp_path / "a.js").write_text(text)
        async with client_of(tmp_path) as browser:
            page = (await browser.get("/")).text
            (path,) = re.findall(r'src="([^"]+)"', page)
            assert (await browser.get(path)).text == text
            seen.append(path)

    assert len(set(seen)) == 2


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (STATIC / "index.html").read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for script in (STATIC / "js").rglob("*.js"):
        text = script.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage\.setItem\(\"algoexec\.cred",
            text,
        ), script


def test_files_of_the_page_stay_small() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in {".js", ".css"} and "vendor" not in path.parts:
            assert len(path.read_text().splitlines()) <= 400, path
