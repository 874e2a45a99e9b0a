"""The cast of the page tests: an owner who is signed in, and a stranger who must see nothing."""

import pytest
from django.test import Client

from tests.make import make_user


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(make_user("olga"))
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    return Client()
