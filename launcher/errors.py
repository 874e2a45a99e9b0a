"""Why nothing could be started. Every message is a sentence that says what to do next."""


class CannotStart(Exception):
    """Nothing runs: what was started has been stopped again."""
