"""How much of what a callee loses its caller loses too, learnt from the baseline.

A caller that waits for its callee loses all of it; one that hands work over, or has a fallback, loses nothing however
slow or broken the callee is. The call graph does not say which it is, but in a baseline that is long enough the two
either vary together or do not.
"""

from collections.abc import Mapping

import numpy as np

from evidence.case import Times
from evidence.series import Values
from evidence.signals import at

# Before the baseline says otherwise: all is passed on, give or take half.
EXPECTED = 1.0
EXPECTED_SPREAD = 0.5
# With fewer instants at which both were measured, nothing is learnt.
LEAST_INSTANTS = 30
# What is passed on in a fault can be more than in small variations: callers hide those behind their other waits.
LEAST = 0.1
# Rare extremes would decide the fit alone, so values beyond these quantiles count as the quantile.
_WINSOR = (0.02, 0.98)

type Losses = tuple[Times, Values]


def couplings(caller: Losses, asked: Losses, callees: Mapping[str, Losses]) -> dict[str, float]:
    """The share (LEAST…1) of each callee's loss that its caller may lose too.

    `caller` and `callees` are what was lost over time (seconds waited or requests failed in a unit of time), `asked`
    how many requests the caller had. A linear regression with a normal prior on the shares (Hoerl and Kennard 1970:
    ridge regression), so that a callee which never varied keeps what was expected.
    """
    times, lost = caller
    if len(times) < LEAST_INSTANTS or not callees:
        return dict.fromkeys(callees, EXPECTED)
    columns = [_settled(np.nan_to_num(at(times, *losses))) for losses in callees.values()]
    design = np.column_stack([*columns, _settled(np.nan_to_num(at(times, *asked)))])
    shares = _ridge(design, _settled(lost), len(columns))
    return {name: float(np.clip(share, LEAST, 1)) for name, share in zip(callees, shares, strict=True)}


def _settled(values: Values) -> Values:
    settled: Values = np.clip(values, *np.quantile(values, _WINSOR))
    return settled - settled.mean()


def _ridge(design: Values, lost: Values, callees: int) -> Values:
    """The first `callees` coefficients, each a standard deviation above its mean; the last has no prior to speak of."""
    expected = np.append(np.full(callees, EXPECTED), 0.0)
    rest = lost - design @ expected
    noise = max(float(np.var(lost - design @ np.linalg.lstsq(design, lost, rcond=None)[0])), 1e-12)
    loose = 1e-9 * (float(design[:, -1] @ design[:, -1]) / noise + 1e-9)
    precision = np.append(np.full(callees, EXPECTED_SPREAD**-2), loose)
    spread = np.linalg.inv(design.T @ design / noise + np.diag(precision))
    coefficients: Values = (expected + spread @ (design.T @ rest / noise) + np.sqrt(np.diag(spread)))[:callees]
    return coefficients
