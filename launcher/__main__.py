"""python -m launcher demo | run | reset | manage …; the Makefile calls it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from launcher import environment, lock, ports, settings, stacks
from launcher.errors import CannotStart
from launcher.supervisor import Supervisor, say

USAGE = """\
python -m launcher demo          everything, with the shop; Ctrl-C stops it
python -m launcher run           the engine without the shop
python -m launcher reset         throw the demo's data away
python -m launcher manage …      one of manage.py's commands, in the environment of `run`; --demo first: of `demo`
"""


def main(arguments: Sequence[str]) -> int:
    try:
        match arguments:
            case ["demo" | "run" as name]:
                return _start(name)
            case ["reset"]:
                return _reset()
            case ["manage", "--demo", *rest]:
                return _manage(rest, "demo")
            case ["manage", *rest]:
                return _manage(rest, "run")
    except CannotStart as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(USAGE, file=sys.stderr)
    return 2


def _start(name: str) -> int:
    chosen = settings.read(name)
    with lock.held(chosen.home):
        stack = stacks.demo(chosen, os.environ) if name == "demo" else stacks.run(chosen, os.environ)
        ports.check(stack.ports)
        say(f"Starting Fireline, with its data in {chosen.home}")
        return Supervisor(chosen.logs).run(stack.stages(), lambda: say(stack.greeting()))


def _reset() -> int:
    home = settings.read("demo").home
    with lock.held(home):
        for path in home.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    say(f"The demo's data in {home} is gone. `make demo` starts anew.")
    return 0


def _manage(arguments: Sequence[str], stack: str) -> int:
    chosen = settings.read(stack)
    make = environment.demo_engine if stack == "demo" else environment.engine
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=make(chosen, os.environ), cwd=settings.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
