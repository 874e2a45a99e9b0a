"""What can go wrong between Fireline and a store. Every message is a sentence that a user may read."""


class StoreError(Exception):
    """A store could not answer. `str(error)` says what happened and what to do next.

    `transient` says whether asking again may help.
    """

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class Unreachable(StoreError):
    """No connection, or it broke: worth another try."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)


class TimedOut(StoreError):
    """No answer in time: worth another try."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)


class Refused(StoreError):
    """The store answered that the question is wrong (4xx): the same question gets the same answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False)


class TooMuch(StoreError):
    """The question asks for more samples than the store allows: ask for a shorter range or fewer series."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False)


class NotAStore(StoreError):
    """Something answered, but not in the store's language (HTML, another product, a wrong path)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False)


class ForbiddenAddress(StoreError):
    """The address is internal and no administrator allowed it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False)
