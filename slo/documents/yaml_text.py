"""YAML as people like to read it: decimals with all their digits, long texts as blocks, no anchors."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def represent_decimal(self, number: Decimal) -> yaml.Node:
        # As the database answers them, decimals end in zeros.
        text = f"{number.normalize():f}"
        return self.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)

    def represent_text(self, text: str) -> yaml.Node:
        style = "|" if "\n" in text else None
        # YAML folds these line breaks, unless they are written as escapes.
        if any(sign in text for sign in "\r\x85\u2028\u2029"):
            style = '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(Decimal, _Dumper.represent_decimal)
_Dumper.add_representer(str, _Dumper.represent_text)


def dump(documents: Iterable[object]) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
