"""PromQL that only chooses series, `metric{label="value"}`, as metric and matchers. Anything else is an expression."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from slo.counting import Matcher, Operator

_STRING = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"
_TOKEN = re.compile(
    rf"(?P<blank>\s+|\#[^\n]*)|(?P<string>{_STRING})|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<sign>=~|!~|!=|[={{}},])"
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NUMBERS = ("inf", "nan")
_SUM = re.compile(
    r"\s*sum\s*\(\s*(?:rate|increase)\s*\(\s*(?P<selector>.*?)\s*\[\s*(?P<range>[^\[\]]*?)\s*\]\s*\)\s*\)\s*", re.DOTALL
)
_STRUCTURE = re.compile(rf"{_STRING}|\#[^\n]*|(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<minus>-)")
_PLAIN_SUM = re.compile(r"\s*sum\s*\((?P<selector>.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Selector:
    metric: str
    matchers: tuple[Matcher, ...] = ()

    def without(self, label: str) -> "Selector":
        return Selector(self.metric, tuple(one for one in self.matchers if one.label != label))


def parse(query: str) -> Selector | None:
    """The series that `query` chooses of one metric; `None` when it is anything but a plain selector."""
    tokens = _tokens(query)
    if not tokens:
        return None
    metric = ""
    if tokens[0][0] == "name":
        metric = tokens.pop(0)[1]
        if metric.lower() in _NUMBERS:
            return None
    return _braces(metric, tokens)


def summed(query: str) -> Selector | None:
    """As `parse`, also within `sum(…)`: the sum of counters counts what they count."""
    inner = _PLAIN_SUM.fullmatch(query)
    return parse(inner["selector"]) if inner else parse(query)


def rated(query: str, window: re.Pattern[str]) -> Selector | None:
    """The counters of `sum(rate(…[window]))` or `sum(increase(…[window]))`; `None` for anything else."""
    found = _SUM.fullmatch(_unwrapped(query))
    return parse(found["selector"]) if found and window.fullmatch(found["range"]) else None


def difference(query: str) -> tuple[str, str] | None:
    """The two sides of a query that is one subtraction, `a - b`; `None` for anything else."""
    text = _unwrapped(query)
    signs = [found.start() for found, depth in _structure(text) if found["minus"] and not depth]
    return (text[: signs[0]], text[signs[0] + 1 :]) if len(signs) == 1 else None


def _structure(query: str) -> Iterator[tuple[re.Match[str], int]]:
    """Brackets and minus signs outside of texts and comments, with how many brackets are open after each."""
    depth = 0
    for found in _STRUCTURE.finditer(query):
        depth += bool(found["open"]) - bool(found["close"])
        if found.lastgroup:
            yield found, depth


def _tokens(query: str) -> list[tuple[str, str]] | None:
    tokens, position = list[tuple[str, str]](), 0
    while position < len(query):
        found = _TOKEN.match(query, position)
        if not found:
            return None
        position = found.end()
        if found.lastgroup and found.lastgroup != "blank":
            tokens.append((found.lastgroup, found.group()))
    return tokens


def _braces(metric: str, tokens: list[tuple[str, str]]) -> Selector | None:
    if not tokens:
        return Selector(metric)
    signs = (tokens[0][1], tokens[-1][1])
    if signs != ("{", "}") or len(tokens) < 2:
        return None
    names, matchers = [metric] if metric else [], list[Matcher]()
    for term in _terms(tokens[1:-1]):
        match term:
            case [("string", name)]:
                names.append(_unquoted(name))
            case [("name" | "string" as kind, label), ("sign", "=" | "!=" | "=~" | "!~" as op), ("string", value)]:
                matchers.append(_matcher(_unquoted(label) if kind == "string" else label, op, _unquoted(value)))
            case _:
                return None
    return _named(names, matchers)


def _terms(tokens: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    terms: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("sign", ","):
            terms.append([])
        else:
            terms[-1].append(token)
    # A comma may follow the last one.
    return terms if terms[-1] else terms[:-1]


def _named(names: list[str], matchers: list[Matcher]) -> Selector | None:
    by_label = [one for one in matchers if one.label == "__name__"]
    if any(one.op != "=" for one in by_label):
        return None
    names += [one.value for one in by_label]
    rest = tuple(one for one in matchers if one.label != "__name__")
    return Selector(names[0], rest) if len(names) == 1 and names[0] else None


def _matcher(label: str, op: str, value: str) -> Matcher:
    operators: dict[str, Operator] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}
    return Matcher(label, operators[op], value)


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU":
        return chr(int(code[1:], 16))
    if code[0].isdigit() and len(code) == 3:
        return chr(int(code, 8))
    return _SIMPLE.get(code, code)


def _unwrapped(query: str) -> str:
    """Without brackets around all of it."""
    text = query.strip()
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing(text: str) -> int | None:
    """Where the bracket that it begins with is closed."""
    return next((found.start() for found, depth in _structure(text) if found["close"] and not depth), None)
