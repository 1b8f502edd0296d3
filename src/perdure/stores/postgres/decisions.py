"""The functions that this release installs beside the tables: a worker's decisions, and one for each kind of entry.

Tables are migrations, decisions are code. Their names end in the release's *mark*, a digest of all of them, so that
workers of two releases work beside each other during an upgrade, each with its own. In the `.sql` files, functions and
named queries alike, the mark is left out.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from ..kinds import Kinds
from ..queries import load_queries

_MADE: Final = re.compile(r"^CREATE FUNCTION perdure\.(\w+)\(", re.MULTILINE)


class Decisions:
    """Those of some kinds of entries. `script` makes them all; in which order does not matter to the server."""

    def __init__(self, kinds: Kinds) -> None:
        sources = [*(files(__package__ or "") / "decisions").iterdir()]
        for kind in kinds.all:
            folder = files(kind.folder.format(store="postgres"))
            sources += [folder / f"{name}.sql" for name in (kind.name, *kind.folds)]
        texts = sorted(source.read_text(encoding="utf-8") for source in sources if source.name.endswith(".sql"))
        script = "\n".join(texts)
        self.mark = blake2b(script.encode(), digest_size=4).hexdigest()
        self._name = re.compile(rf"\bperdure\.({'|'.join(sorted(_MADE.findall(script)))})\(")
        self.script = self.marked(script)
        self._texts: dict[str, str] = {}
        self._numbered: dict[str, bytes] = {}

    def marked(self, text: str) -> str:
        """The text with the functions' names as they are installed."""
        return self._name.sub(rf"perdure.\1_{self.mark}(", text)

    def text(self, query: str) -> str:
        """The named query, for the driver's own way of parameters."""
        if query not in self._texts:
            self._texts[query] = self.marked(load_queries(__package__ or "")[query].text)
        return self._texts[query]

    def numbered(self, query: str) -> bytes:
        """The named query as the server itself wants it, with `$1` in the place of the first parameter.

        `write_<section>` is the query of that name, or `write_section` with the section's function.
        """
        if query not in self._numbered:
            queries = load_queries(__package__ or "")
            text = queries[query if query in queries else "write_section"].numbered()
            self._numbered[query] = self.marked(text.replace("perdure.write_section(", f"perdure.{query}(")).encode()
        return self._numbered[query]


_made: dict[tuple[object, ...], Decisions] = {}


def decisions_of(kinds: Kinds) -> Decisions:
    """Those of these kinds, read once per process."""
    if kinds.all not in _made:
        _made[kinds.all] = Decisions(kinds)
    return _made[kinds.all]
