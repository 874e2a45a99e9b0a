"""Reads a request's body, never more of it than allowed, also when it is compressed."""

import zlib
from typing import Protocol

from django.http import HttpRequest, UnreadablePostError

_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Exception):
    """The body, as sent or unpacked, is larger than allowed."""


class Damaged(Exception):
    """The body does not unpack, or ended early; `str(error)` says which."""


class Compressed(Exception):
    """The body is compressed in a way that is not understood; `str(error)` names it."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read(request: HttpRequest, most: int) -> bytes:
    """The unpacked body, at most `most` bytes. Raises `TooLarge`, `Damaged` or `Compressed`."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise Compressed(encoding)
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdigit() and int(declared) > most:
        # Refused by its own word: not worth reading.
        raise TooLarge
    try:
        body = _all_of(_stream(request), most)
    except (UnreadablePostError, OSError):
        raise Damaged("The connection broke before the body was whole. Send it again.") from None
    if declared.isdigit() and len(body) < int(declared):
        raise Damaged("The body ended before its Content-Length. Send it again.")
    return _unpacked(body, most) if encoding == "gzip" else body


def _stream(request: HttpRequest) -> _Readable:
    # Django believes that a chunked body is empty; the server (gunicorn) says when it ends by itself.
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):
        stream: _Readable = request.META["wsgi.input"]
        return stream
    return request


def _all_of(stream: _Readable, most: int) -> bytes:
    body = bytearray()
    while piece := stream.read(_PIECE):
        body += piece
        if len(body) > most:
            raise TooLarge
    return bytes(body)


def _unpacked(packed: bytes, most: int) -> bytes:
    """Unpacks all members of a gzip file, and stops as soon as they are larger than `most`: a bomb costs no memory."""
    body = bytearray()
    try:
        while packed:
            member = zlib.decompressobj(_GZIP)
            body += member.decompress(packed, most + 1 - len(body))
            if len(body) > most:
                raise TooLarge
            if not member.eof:
                raise Damaged("The gzip data ends early. Send it again.")
            packed = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise Damaged(f"The body says it is gzip, but does not unpack ({error}).") from None
    return bytes(body)
