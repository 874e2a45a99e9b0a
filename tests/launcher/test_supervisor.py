"""The supervisor starts in order, says what went wrong, and leaves no process behind: seen in /proc."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from launcher.child import Child
from launcher.errors import CannotStart
from launcher.readiness import Says
from launcher.supervisor import Job, Program, Service, Supervisor
from tests.launcher.programs import BROKEN, FAMILY, STUBBORN, alive, python
from tests.servers import wait_until


@pytest.fixture
def marker() -> str:
    return f"FIRELINE_TEST_RUN={uuid.uuid4()}"


def environment(marker: str) -> dict[str, str]:
    name, value = marker.split("=")
    return os.environ | {name: value}


def service(name: str, code: str, marker: str, ready: str = "ready", seconds: float = 20) -> Service:
    return Service(name, python(code), environment(marker), Says(ready), seconds)


def seen_first(name: str, code: str, marker: str, seen: Path) -> Service:
    """One that does nothing before the supervisor has found it ready, however slow the machine is."""

    def ready(child: Child) -> bool:
        seen.touch()
        return True

    waits = f"import os, time\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)\n"
    return Service(name, python(waits + code), environment(marker), ready, 20)


def job(name: str, code: str, marker: str) -> Job:
    return Job(name, python(code), environment(marker))


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def run(logs: Path, *stages: Sequence[Program]) -> int:
    return Supervisor(logs).run(stages, announce=press_ctrl_c)


def test_ctrl_c_stops_programs_and_what_they_started(tmp_path: Path, marker: str) -> None:
    seen: list[int] = []

    def look_then_stop() -> None:
        seen.extend(alive(marker))
        press_ctrl_c()

    code = Supervisor(tmp_path).run([[service("one", FAMILY, marker), service("two", FAMILY, marker)]], look_then_stop)
    assert (code, len(seen), alive(marker)) == (0, 4, [])


def test_a_program_that_ignores_term_is_killed_with_its_children(
    tmp_path: Path, marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.supervisor.GRACE_SECONDS", 0.5)
    run(tmp_path, [service("stubborn", STUBBORN, marker)])
    assert alive(marker) == []


def test_a_stage_begins_when_the_one_before_is_ready(tmp_path: Path, marker: str) -> None:
    sign = tmp_path / "sign"
    first = service("first", f"import signal; open({str(sign)!r}, 'x'); print('ready'); signal.pause()", marker)
    second = job("second", f"open({str(sign)!r})", marker)
    # The first does not flush, so what it says arrives only when Python is told not to keep it.
    first = Service("first", [*first.command[:1], "-u", *first.command[1:]], first.environment, first.ready)
    assert run(tmp_path / "log", [first], [second]) == 0


def test_a_program_that_ends_at_its_start_stops_all_and_its_last_words_are_shown(tmp_path: Path, marker: str) -> None:
    with pytest.raises(CannotStart, match=r"(?s)broken ended with code 3.*no such database: orders"):
        run(tmp_path, [service("fine", FAMILY, marker)], [service("broken", BROKEN, marker)])
    assert alive(marker) == []


def test_a_failing_job_stops_all_and_its_follow_up_is_not_done(tmp_path: Path, marker: str) -> None:
    done = tmp_path / "done"
    failing = Job("seed", python(BROKEN), environment(marker), then=done.touch)
    with pytest.raises(CannotStart, match="seed ended with code 3"):
        run(tmp_path / "log", [failing])
    assert not done.exists()


def test_a_program_that_never_gets_ready_is_given_up(tmp_path: Path, marker: str) -> None:
    with pytest.raises(CannotStart, match="silent was not ready after 1 s"):
        run(tmp_path, [service("silent", FAMILY, marker, ready="never said", seconds=1)])
    assert alive(marker) == []


def test_a_missing_program_is_named(tmp_path: Path, marker: str) -> None:
    with pytest.raises(CannotStart, match="no-such-program is not installed"):
        run(tmp_path, [service("fine", FAMILY, marker)], [Service("gone", ["no-such-program"], {}, Says("ready"))])
    assert alive(marker) == []


def test_a_program_that_ends_later_is_started_again(tmp_path: Path, marker: str) -> None:
    supervisor = Supervisor(tmp_path)
    lives = tmp_path / "lives"
    code = f"""
import signal
with open({str(lives)!r}, "a") as file:
    file.write("x")
print("ready", flush=True)
if len(open({str(lives)!r}).read()) < 3:
    raise SystemExit(1)
import os
os.kill({os.getpid()}, signal.SIGINT)
signal.pause()
"""
    mortal = seen_first("mortal", code, marker, tmp_path / "seen")
    assert supervisor.run([[mortal]], announce=lambda: None) == 0
    assert lives.read_text() == "xxx"


def test_a_program_that_keeps_ending_stops_all(tmp_path: Path, marker: str) -> None:
    hopeless = seen_first("hopeless", BROKEN, marker, tmp_path / "seen")
    with pytest.raises(CannotStart, match=r"(?s)ended 4 times in a row.*no such database"):
        Supervisor(tmp_path).run([[hopeless]], announce=lambda: None)


LAUNCH = """
import os, sys
from pathlib import Path
from launcher.readiness import Says
from launcher.supervisor import Service, Supervisor
from tests.launcher.programs import FAMILY, python
family = Service("family", python(FAMILY), os.environ, Says("ready"))
Supervisor(Path(sys.argv[1])).run([[family]], announce=lambda: print("up", flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_every_way_to_end_the_launcher_leaves_nothing_behind(tmp_path: Path, marker: str, number: int) -> None:
    with subprocess.Popen([*python(LAUNCH), tmp_path], env=environment(marker), stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        while launcher.stdout.readline() not in (b"up\n", b""):
            pass
        assert len(alive(marker)) == 3
        launcher.send_signal(number)
        assert launcher.wait(timeout=20) == 0
    assert alive(marker) == []


def test_children_end_even_when_the_launcher_is_killed_outright(tmp_path: Path, marker: str) -> None:
    child = "import signal; print('ready', flush=True); signal.pause()"
    code = LAUNCH.replace("python(FAMILY)", f"python({child!r})")
    with subprocess.Popen([*python(code), tmp_path], env=environment(marker), stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        while launcher.stdout.readline() not in (b"up\n", b""):
            pass
        launcher.kill()
    wait_until(lambda: not alive(marker), what="the children to end")


def test_logs_of_the_run_before_are_kept_once(tmp_path: Path, marker: str) -> None:
    for word in ("first", "second"):
        run(tmp_path, [job("talk", f"print({word!r})", marker)])
    assert (tmp_path / "talk.log").read_text() == "second\n"
    assert (tmp_path / "talk.log.1").read_text() == "first\n"


def test_a_childs_output_can_go_to_a_file_of_its_own(tmp_path: Path) -> None:
    child = Child("job", [sys.executable, "-c", "print(42)"], os.environ, tmp_path / "log", tmp_path / "answer")
    wait_until(child.gone, what="the job to end")
    assert (tmp_path / "answer").read_text() == "42\n"
