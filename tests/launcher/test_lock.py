"""One launcher at a time works with a directory."""

import os
from pathlib import Path

import pytest

from launcher import lock
from launcher.errors import CannotStart


def test_a_second_launcher_is_told_which_process_to_stop(tmp_path: Path) -> None:
    with lock.held(tmp_path), pytest.raises(CannotStart, match=f"process {os.getpid()}"), lock.held(tmp_path):
        pass


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with lock.held(tmp_path):
        pass
    with lock.held(tmp_path):
        pass
