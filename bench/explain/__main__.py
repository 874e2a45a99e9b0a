"""Are explanations right? Incidents whose causes are known, and what `manage.py explain` says of them.

    uv run python -m bench.explain [--seed 1] [--variants 1] [--only NAME] [--cases DIR] [--published CSV]
    uv run python -m bench.explain speed

Generated incidents of three systems, and with `--cases` recorded ones of others. Each seed draws other variants: which
service, how bad, whom it hits, when, how many users. `--command` runs another program instead, to which
`--bundle DIR --json` is added. `--keep DIR` leaves the bundles and their truth there.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.explain import recorded, running, speed, tables, truth
from bench.explain.scenarios import SCENARIOS, generate
from bench.explain.scoring import Mark, mark
from bench.explain.truth import Truth


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="fireline-explain-") as temporary:
        folder = options.keep or Path(temporary)
        if options.what == "speed":
            return speed.main(running.command(options.command), folder)
        if not options.only_cases:
            tables.scenarios(_generated(options, folder))
        if options.cases:
            _recorded(options, folder)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("accuracy", "speed"), default="accuracy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", type=int, default=1, help="of each scenario")
    parser.add_argument("--only", default="", help="scenarios (or recorded cases) whose names contain this")
    parser.add_argument("--cases", type=Path, help="a folder of recorded incidents, with its truth.json")
    parser.add_argument("--only-cases", action="store_true", help="no generated scenarios")
    parser.add_argument("--published", type=Path, help="a CSV file of what others reached: set,method,first")
    parser.add_argument("--command", default="", help="instead of manage.py explain")
    parser.add_argument("--jobs", type=int, default=2, help="bundles at a time")
    parser.add_argument("--keep", type=Path, help="where to leave the bundles")
    return parser.parse_args(arguments)


def _generated(options: argparse.Namespace, folder: Path) -> list[Mark]:
    truths = _generate(options, folder)
    # Beside the bundles, for a person; what is tested gets the path of a bundle.
    truth.save(folder / "truth.json", truths)
    bundles = {name: folder / "bundles" / name for name in truths}
    answers = running.explain_all(running.command(options.command), bundles, folder, options.jobs)
    return [mark(name, truths[name], answer) for name, answer in answers.items()]


def _generate(options: argparse.Namespace, folder: Path) -> dict[str, Truth]:
    chosen = [
        (name, variant) for name in SCENARIOS if options.only in name for variant in range(1, options.variants + 1)
    ]
    names = [f"{name}@{options.seed}.{variant}" for name, variant in chosen]
    with ProcessPoolExecutor(options.jobs) as workers:
        truths = workers.map(
            generate,
            (name for name, _ in chosen),
            (options.seed for _ in chosen),
            (variant for _, variant in chosen),
            (folder / "bundles" / name for name in names),
        )
        return dict(zip(names, truths, strict=True))


def _recorded(options: argparse.Namespace, folder: Path) -> None:
    cases = [case for case in recorded.cases(options.cases) if options.only in case.name]
    bundles = {case.name: options.cases / case.name for case in cases}
    answers = running.explain_all(running.command(options.command), bundles, folder, options.jobs)
    others = recorded.published(options.published) if options.published else {}
    tables.recorded([recorded.place(case, answers[case.name]) for case in cases], others)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
