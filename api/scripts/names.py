"""A session's names as a script may use them: Python's words, and what the script itself needs, are not to be had."""

from __future__ import annotations

import keyword
from collections.abc import Iterable


class Names:
    """The variables of one function. A session's names come first, the script's own make way for them."""

    def __init__(self, names: Iterable[str], taken: Iterable[str] = ()) -> None:
        """``names`` are the session's, ``taken`` what else the function calls by name."""
        wanted = list(names)
        self._used = {*wanted, *taken}
        barred = {*taken, *keyword.kwlist}
        self._safe: dict[str, str] = {}
        for name in wanted:
            # Python gives some names between underscores a meaning of their own
            free = name not in barred and not name.startswith("__")
            self._safe[name] = name if free else self.own(name)

    def __getitem__(self, name: str) -> str:
        """A session's name as a variable."""
        return self._safe[name]

    def own(self, wish: str) -> str:
        """A variable of the script's own, as near to ``wish`` as nobody else has it."""
        wish = wish.lstrip("_") if wish.startswith("__") else wish
        while not wish or wish in self._used or keyword.iskeyword(wish):
            wish += "_"
        self._used.add(wish)
        return wish

    @property
    def changed(self) -> dict[str, str]:
        """The session's names that are written otherwise here."""
        return {name: safe for name, safe in self._safe.items() if name != safe}
