"""All scenarios: which system, which flow, how busy, and what happens there."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.explain import bundles, chain_scenes, fanout_scenes, shop_scenes
from bench.explain.chain import CHAIN
from bench.explain.fanout import FANOUT
from bench.explain.shop import SHOP
from bench.explain.story import Scene, Story, setting
from bench.explain.system import System
from bench.explain.truth import Truth

DRAWS = 3


class Scenario(NamedTuple):
    """`rate` is between which numbers of requests a second."""

    system: System
    rate: tuple[float, float]
    scene: Scene

    def story(self, random: Random) -> Story:
        """A variant, as chance has it."""
        return self.scene(setting(self.system, self.system.flows[0].name, random, self.rate))


PLACES = (
    (SHOP, (3.0, 5.0), shop_scenes.SCENES),
    (CHAIN, (2.0, 3.0), chain_scenes.SCENES),
    (FANOUT, (1.6, 2.4), fanout_scenes.SCENES),
)
SCENARIOS: Mapping[str, Scenario] = {
    f"{system.name}-{name}": Scenario(system, rate, scene)
    for system, rate, scenes in PLACES
    for name, scene in scenes.items()
}


def generate(name: str, seed: int, variant: int, folder: Path) -> Truth:
    """Write one variant of a scenario as a bundle into `folder`; the same numbers give the same bytes.

    Draws again when the variant did no harm, which is rare. Raises Harmless when none of a few does any.
    """
    for draw in range(DRAWS):
        random = Random(f"{seed}/{variant}/{draw}/{name}")
        try:
            return bundles.write(SCENARIOS[name].story(random), folder, random)
        except bundles.Harmless:
            if draw == DRAWS - 1:
                raise
    raise AssertionError("unreachable: the last draw returns or raises")
