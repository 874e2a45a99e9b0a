"""A group of an objective: one set of values of the labels that it is split by."""

from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b

from slo.slices import Measured

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


def without_room(answer: Mapping[Group, Sequence[Measured]], known: Container[Group], room: int) -> list[Group]:
    """The groups of an answer that are left out, when there is room for so many besides those that are `known`.

    Of the new ones those with the most events are kept.
    """
    new = [group for group in answer if group not in known]
    new.sort(key=lambda group: -sum(one.total or 0 for one in answer[group]))
    return new[max(0, room) :]


def overflow(count: int, most: int) -> str:
    """That of so many groups only `most` are measured; empty for no more than these."""
    if count <= most:
        return ""
    return (
        f"It has {count} groups, but only {most} are measured: those that came first, then those with the most "
        "events. Group by labels with fewer values, or choose fewer series."
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
