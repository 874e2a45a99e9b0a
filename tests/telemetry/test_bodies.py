"""A body is read whole, or it is said why not, and never more of it than allowed."""

import gzip
import io
import tracemalloc
import zlib

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from telemetry import bodies


def make_request(stream, **environ) -> WSGIRequest:
    return WSGIRequest(RequestFactory().get("/").environ | {"REQUEST_METHOD": "POST", "wsgi.input": stream} | environ)


class Broken(io.BytesIO):
    """A connection that breaks while the body arrives."""

    def read(self, size=-1, /):
        raise ConnectionResetError


def test_a_body_is_read_whole():
    assert bodies.read(make_request(io.BytesIO(b"12345"), CONTENT_LENGTH="5"), 5) == b"12345"


def test_a_body_that_ends_before_its_length_is_damaged():
    with pytest.raises(bodies.Damaged, match="ended before its Content-Length"):
        bodies.read(make_request(io.BytesIO(b"123"), CONTENT_LENGTH="5"), 5)


def test_a_connection_that_breaks_is_said_so():
    with pytest.raises(bodies.Damaged, match="connection broke"):
        bodies.read(make_request(Broken(), CONTENT_LENGTH="5"), 5)


def test_a_body_that_says_it_is_too_large_is_not_read():
    with pytest.raises(bodies.TooLarge):
        bodies.read(make_request(Broken(), CONTENT_LENGTH="6"), 5)


def test_a_chunked_body_is_read_to_its_end():
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert bodies.read(make_request(io.BytesIO(b"12345"), **chunked), 5) == b"12345"


def test_a_chunked_body_is_read_no_further_than_allowed():
    stream = io.BytesIO(bytes(10 * 1024 * 1024))
    with pytest.raises(bodies.TooLarge):
        bodies.read(make_request(stream, **{"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}), 5)
    assert stream.tell() < 1024 * 1024


def test_gzip_may_be_exactly_as_large_as_allowed():
    packed = gzip.compress(b"12345")
    request = make_request(io.BytesIO(packed), CONTENT_LENGTH=str(len(packed)), HTTP_CONTENT_ENCODING="gzip")
    assert bodies.read(request, 100) == b"12345"


@pytest.mark.parametrize(("most", "fits"), [(100_000, True), (99_999, False)])
def test_the_limit_counts_what_is_unpacked(most, fits):
    packed = gzip.compress(bytes(100_000))
    request = make_request(io.BytesIO(packed), CONTENT_LENGTH=str(len(packed)), HTTP_CONTENT_ENCODING="gzip")
    if fits:
        assert len(bodies.read(request, most)) == 100_000
    else:
        with pytest.raises(bodies.TooLarge):
            bodies.read(request, most)


def test_a_bomb_costs_no_more_memory_than_is_allowed():
    bomb = zlib.compressobj(wbits=31)
    packed = b"".join(bomb.compress(bytes(1024 * 1024)) for _ in range(50)) + bomb.flush()
    request = make_request(io.BytesIO(packed), CONTENT_LENGTH=str(len(packed)), HTTP_CONTENT_ENCODING="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(bodies.TooLarge):
            bodies.read(request, 1024 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
