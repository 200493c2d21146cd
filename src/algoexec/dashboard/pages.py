"""Serves the page.

All files are read once and kept compressed: the process that serves them also trades. They stand below a path that
changes with their content, so that a browser may keep them for ever and is never a version behind.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

STATIC: Final = Path(__file__).parent / "static"
PREFIX: Final = "/ui"
BASE_MARK: Final = "{{base}}"
"""Stands in index.html where the path of this version's files goes."""

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served. Anything else in the folder, such as types for an editor, is not."""

_SECURITY: Final = {
    # No inline script or style, no eval, nothing from elsewhere, no HTML made of text, and no frame around it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served; `compressed` None: it is compressed as it is."""

    media_type: str
    plain: bytes
    compressed: bytes | None

    @classmethod
    def of(cls, suffix: str, content: bytes) -> "Asset":
        """Return the file with that content."""
        compressed = None if suffix == ".woff2" else gzip.compress(content, mtime=0)
        return cls(_MEDIA_TYPES[suffix], content, compressed)

    def response(self, request: Request, caching: str) -> Response:
        """Return it in the encoding that the client takes."""
        headers = {**_SECURITY, "Cache-Control": caching, "Vary": "Accept-Encoding"}
        if self.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, headers=headers, media_type=self.media_type)
        return Response(self.plain, headers=headers, media_type=self.media_type)


def routes(static: Path = STATIC) -> list[Route]:
    """Return the routes of the page whose files are in `static`, as they are now."""
    found = dict(_files(static))
    version = hashlib.sha256(b"".join(name.encode() + content for name, content in found.items())).hexdigest()[:12]
    base = f"{PREFIX}/{version}"
    page = Asset.of(".html", found.pop("index.html").replace(BASE_MARK.encode(), base.encode()))
    assets = {name: Asset.of(Path(name).suffix, content) for name, content in found.items()}

    async def index(request: Request) -> Response:
        return page.response(request, "no-cache")

    async def file(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("There is no such file.", 404, _SECURITY)
        return asset.response(request, "public, max-age=31536000, immutable")

    return [Route("/", index, name="page"), Route(base + "/{name:path}", file, name="page files")]


def _files(static: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of what is served, in order."""
    for path in sorted(static.rglob("*")):
        if path.suffix in _MEDIA_TYPES:
            yield path.relative_to(static).as_posix(), path.read_bytes()
