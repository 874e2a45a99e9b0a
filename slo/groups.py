"""A group of an objective: one set of values of the labels that it is split by."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

# Pairs of label and value in the order of the labels; empty without grouping.
type Group = tuple[tuple[str, str], ...]

ALL: Group = ()
# What a ledger's `group` holds.
LONGEST = 500


def of(labels: Mapping[str, str], names: Iterable[str]) -> Group:
    """The group of a series with these `labels`, of an objective that is split by `names`.

    A label that the series does not have is the empty text, as in Prometheus.
    """
    # PostgreSQL keeps no NUL in a text.
    return tuple((name, labels.get(name, "").replace("\x00", "\N{REPLACEMENT CHARACTER}")) for name in sorted({*names}))


def text(group: Group) -> str:
    """`{region="eu",tenant="a"}`, as a selector has it; empty for the group of all.

    Of one that is too long the end is left out, and a digest tells it from others that begin alike.
    """
    if not group:
        return ""
    whole = "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in group) + "}"
    if len(whole) <= LONGEST:
        return whole
    end = f"…}}#{blake2b(whole.encode(), digest_size=8).hexdigest()}"
    return whole[: LONGEST - len(end)] + end


def labels(group: Group) -> dict[str, str]:
    return dict(group)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
