"""What the broker says when it says no, in its own shape.

Source: Upstox error codes as collected for 2026; both spellings of each key are sent.
"""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


class Refusal(Exception):
    """An answer that is not 2xx: HTTP status, Upstox code, words for a person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what the answer needs."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def token_refused() -> Refusal:
    """Return the refusal of a missing, invalid or dead token."""
    return Refusal(401, "UDAPI100050", "Invalid token used to access API")


def rate_limited() -> Refusal:
    """Return the refusal of a request too many."""
    return Refusal(429, "UDAPI10005", "Too Many Request Sent")


def out_of_service() -> Refusal:
    """Return the refusal of a call for money or orders at night."""
    return Refusal(423, "UDAPI100072", "This service is available from 5:30 AM to 12:00 AM IST")


def read_only_token() -> Refusal:
    """Return the refusal of an extended token where more than reading is asked.

    The code is documented; the status is what callers of the real API report.
    """
    return Refusal(401, "UDAPI100067", "The API you are trying to access is not permitted with an extended_token")


def address_refused(why: str) -> Refusal:
    """Return the refusal of an order from an address that is not registered.

    A guess: several users of the real API report this code and status, the documentation does not.
    """
    return Refusal(403, "UDAPI1154", f"Access to this API is blocked due to static IP restrictions: {why}")


def invalid_input(message: str) -> Refusal:
    """Return the refusal of a body or value that makes no sense."""
    return Refusal(400, "UDAPI100036", message)


def unknown_instrument(key: str) -> Refusal:
    """Return the refusal of an instrument key that is not listed."""
    return Refusal(400, "UDAPI100011", f"Invalid Instrument key: {key}")


def missing_parameter(name: str) -> Refusal:
    """Return the refusal of a request without a required parameter."""
    code = "UDAPI1009" if name == "instrument_key" else "UDAPI100036"
    return Refusal(400, code, f"{name} is required")


def error_fields(refusal: Refusal) -> dict[str, object]:
    """Return what stands in a list of errors."""
    return {
        "errorCode": refusal.code,
        "error_code": refusal.code,
        "message": refusal.message,
        "propertyPath": None,
        "property_path": None,
        "invalidValue": None,
        "invalid_value": None,
    }


def refusal_response(refusal: Refusal) -> Response:
    """Return the answer that a client gets."""
    body = orjson.dumps({"status": "error", "errors": [error_fields(refusal)]})
    return Response(body, refusal.status, media_type="application/json")


async def answer_refusal(_: Request, error: Exception) -> Response:
    """Answer a `Refusal` raised by an endpoint."""
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    return refusal_response(error)


async def answer_http_error(_: Request, error: Exception) -> Response:
    """Answer an unknown path or method as the broker does."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    message = "Resource not Found." if error.status_code == 404 else str(error.detail)
    return refusal_response(Refusal(error.status_code, "UDAPI10000", message))


def success(data: object, **more: object) -> Response:
    """Return the broker's envelope round `data`."""
    return Response(orjson.dumps({"status": "success", "data": data, **more}), media_type="application/json")
