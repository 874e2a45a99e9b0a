"""What can go wrong while sending. Every message is a sentence that is shown beside the channel."""


class TransportError(Exception):
    """A notification could not be sent. `permanent` says that trying again would end the same way."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
