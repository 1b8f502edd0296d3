"""`python -m model [sqlite | postgres] [scenario ...]`: check all of it, and show what each guard is there for.

`small`: only the scenarios of the tests of every day, and the guards. `--write` puts the figures into README.md. A word
that is none of these ends it with 2: what was not looked for is not found.
"""

from __future__ import annotations

import sys

from . import figures
from .checker import explore
from .scenarios import GUARDS, SMALL, STORES, production_guards, scenarios


def main(words: list[str]) -> int:
    """1 when an invariant breaks, a scenario has too many states to look at, or a guard guards nothing."""
    is_to_write, is_small = "--write" in words, "small" in words
    stores = [word for word in words if word in STORES] or list(STORES)
    names = [word for word in words if word not in (*STORES, "--write", "small")]
    known = {name for store in stores for name in scenarios(store)}
    if unknown := sorted({*names} - known):
        print(__doc__, f"No scenario: {'; '.join(unknown)}. There are: {'; '.join(sorted(known))}.", sep="\n")
        return 2
    wanted = names or (SMALL if is_small else None)
    held: figures.Found = {}
    broken: figures.Found = {}
    for store in stores:
        guards = production_guards(store)
        for name, build in scenarios(store).items():
            if wanted is None or name in wanted:
                held[store, name] = finding = explore(build(guards))
                print(f"{store:8} {name:24} {finding.describe()}", flush=True)
        for guard in GUARDS:
            if not names and guard.fragments(store) and guard.counterexample in scenarios(store):
                finding = explore(scenarios(store)[guard.counterexample](guards - {guard.name, *guard.without}))
                broken[store, guard.name] = finding
                print(f"{store:8} without {guard.name:24} {finding.describe()}", flush=True)
    if is_to_write:
        figures.write(held, broken)
    is_sound = all(finding.holds for finding in held.values()) and all(one.breach for one in broken.values())
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
