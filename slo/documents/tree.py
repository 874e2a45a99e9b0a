"""YAML whose values know where they stand, and whether anybody asked for them: so that errors name their line, and
nothing is dropped without a word."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"


class DocumentError(ValueError):
    """What is wrong with a document, and where: one sentence, to be shown."""


class Unreadable(DocumentError):
    """Everything that is wrong with some documents, a sentence a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Document:
    """One document of a file; `asked` are the paths that were read."""

    file: str
    number: int
    title: str = ""
    asked: set[str] = field(default_factory=set)
    # Paths of which everything below has been spoken of.
    dismissed: set[str] = field(default_factory=set)
    # Whether another document refers to it.
    used: bool = False

    def place(self, node: Node | None, path: str) -> str:
        """`checkout.yaml, line 12, SLO "checkout", spec.service`."""
        line = f"line {node.start_mark.line + 1}" if node else ""
        title = self.title or f"document {self.number}"
        return ", ".join(part for part in (self.file, line, title, path) if part)


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a document, or one that is missing."""

    node: Node | None
    path: str
    document: Document
    # The nearest value around it that is there, for the line of what is missing.
    around: Node | None = None

    def __bool__(self) -> bool:
        """Whether it is there, and not null."""
        return self.node is not None and self.node.tag != _NULL

    def __getitem__(self, name: str) -> "Value":
        """The value of one field; missing when this one is. Names may be joined: `value["spec.service"]`."""
        first, _, rest = name.partition(".")
        child = self._child(first)
        return child[rest] if rest else child

    @property
    def place(self) -> str:
        return self.document.place(self.node or self.around, self.path)

    def error(self, sentence: str) -> DocumentError:
        return DocumentError(f"{self.place}: {sentence}")

    def text(self, default: str | None = None) -> str:
        """Its text as it is written. Raises `DocumentError` if it is missing and has no default."""
        if not self:
            if default is None:
                raise self.error("This is needed.")
            return default
        if not isinstance(self.node, ScalarNode):
            raise self.error("A single value is expected here, not a list or a mapping.")
        return str(self.node.value)

    def read[T](self, parse: Callable[[str], T]) -> T:
        """What `parse` makes of its text; its `ValueError` becomes a `DocumentError` with the place."""
        text = self.text()
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(str(error)) from None

    def number(self) -> Decimal:
        text = self.text()
        try:
            number = Decimal(text.replace("_", "").strip())
        except InvalidOperation:
            raise self.error(f"{text!r} is not a number.") from None
        if not number.is_finite():
            raise self.error("A finite number is needed.")
        return number

    def flag(self, default: bool = False) -> bool:
        if not self:
            return default
        text = self.text()
        if self.node is None or self.node.tag != _BOOL:
            raise self.error(f"Write true or false, not {text!r}.")
        return text.lower() in ("true", "yes", "on")

    def items(self) -> list["Value"]:
        """The values of a list; none if it is missing."""
        if not self:
            return []
        if not isinstance(self.node, SequenceNode):
            raise self.error("A list is expected here.")
        values = [
            Value(node, f"{self.path}[{number}]", self.document, self.node)
            for number, node in enumerate(self.node.value)
        ]
        self.document.asked.update(value.path for value in values)
        return values

    def pairs(self, prefix: str = "") -> dict[str, "Value"]:
        """The fields of a mapping that begin with `prefix`, without it; none if it is missing."""
        names = [key for key, _node in self._fields() if key.startswith(prefix)]
        return {name.removeprefix(prefix): self._child(name) for name in names}

    def texts(self) -> dict[str, str]:
        """A mapping of texts, such as labels."""
        return {key: value.text("") for key, value in self.pairs().items()}

    @property
    def is_text(self) -> bool:
        return bool(self) and isinstance(self.node, ScalarNode)

    def dismiss(self) -> None:
        """Leave it out with all that it holds, after something was said of it."""
        self.document.dismissed.add(self.path)

    def unread(self) -> Iterator[str]:
        """The places of all fields nobody asked for."""
        yield from _unread(self, frozenset())

    def _child(self, name: str) -> "Value":
        path = f"{self.path}.{name}" if self.path else name
        self.document.asked.add(path)
        node = next((node for key, node in self._fields() if key == name), None)
        return Value(node, path, self.document, self.node or self.around)

    def _fields(self) -> list[tuple[str, Node]]:
        if not self:
            return []
        if not isinstance(self.node, MappingNode):
            raise self.error("Fields are expected here, such as `name: value`.")
        return [(str(key.value), node) for key, node in self.node.value]


def documents(text: str, file: str = "") -> list[Value]:
    """The documents of a YAML file. Raises `Unreadable` for text that is no YAML."""
    try:
        return [one for one in _loaded(text, file) if one]
    except yaml.YAMLError as error:
        raise Unreadable([_yaml_problem(error, file)]) from None
    except RecursionError:
        where = f"{file}: " if file else ""
        raise Unreadable([f"{where}This is nested too deeply to be read."]) from None


def _loaded(text: str, file: str) -> Iterator[Value]:
    # Reads ahead, and may refuse what it finds: hence here, and not before.
    loader, number = yaml.SafeLoader(text), 0
    try:
        while loader.check_node():
            if node := loader.get_node():
                number += 1
                _flatten(loader, node, file)
                yield Value(node, "", Document(file, number))
    finally:
        loader.dispose()


def _flatten(loader: yaml.SafeLoader, root: Node, file: str) -> None:
    """Resolve `<<` merges, and refuse fields that are given twice, in every mapping once."""
    waiting, known = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, MappingNode):
            _refuse_doubles(node, file)
            loader.flatten_mapping(node)
            waiting += [child for pair in node.value for child in pair]
        elif isinstance(node, SequenceNode):
            waiting += node.value


def _refuse_doubles(node: MappingNode, file: str) -> None:
    seen = set[str]()
    for key, _value in node.value:
        name = str(key.value)
        if name in seen and name != "<<":
            where = ", ".join(part for part in (file, f"line {key.start_mark.line + 1}") if part)
            raise Unreadable([f"{where}: {name} is given twice. Keep one of them."])
        seen.add(name)


def _yaml_problem(error: yaml.YAMLError, file: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}" if mark else ""
    where = ", ".join(part for part in (file, line) if part)
    problem = getattr(error, "problem", None) or str(error)
    return f"{where + ': ' if where else ''}This is no YAML: {problem}."


def _unread(value: Value, above: frozenset[int]) -> Iterator[str]:
    if id(value.node) in above or value.path in value.document.dismissed:
        return
    above |= {id(value.node)}
    for path, node in _children(value):
        if path not in value.document.asked:
            yield value.document.place(node, path)
        else:
            yield from _unread(Value(node, path, value.document), above)


def _children(value: Value) -> Iterator[tuple[str, Node]]:
    match value.node:
        case MappingNode(value=pairs):
            for key, node in pairs:
                yield (f"{value.path}.{key.value}" if value.path else str(key.value)), node
        case SequenceNode(value=nodes):
            for number, node in enumerate(nodes):
                yield f"{value.path}[{number}]", node
