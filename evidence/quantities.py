"""Numbers as a sentence has them: short, with their unit, and never more exact than they are known."""


def seconds(value: float) -> str:
    """0.0346 is "35 ms", 4.12 "4.1 s", 300 "5 min"."""
    size = abs(value)
    if size < 0.001:
        return f"{value * 1e6:.0f} µs"
    if size < 0.0095:
        return f"{value * 1e3:.1f} ms"
    if size < 1:
        return f"{value * 1e3:.0f} ms"
    if size < 120:
        return f"{value:.1f} s" if size < 9.95 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if size < 7200 else f"{value / 3600:.1f} h"


def percent(share: float) -> str:
    """0.3 is "30 %", 0.0123 "1.2 %"."""
    return f"{share * 100:.0f} %" if share >= 0.095 or share == 0 else f"{share * 100:.2g} %"


def some(names: list[str], most: int = 4) -> str:
    """A list that stays readable: "a, b, c and 9 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
