"""`python -m model [sqlite | postgres] [scenario ...]`: check all of it, and show what each guard is there for."""

from __future__ import annotations

import sys

from .checker import explore
from .scenarios import GUARDS, STORES, production_guards, scenarios


def main(words: list[str]) -> int:
    """1 when an invariant breaks, or a guard turns out to guard nothing."""
    stores = [word for word in words if word in STORES] or list(STORES)
    names = [word for word in words if word not in STORES]
    failures = 0
    for store in stores:
        guards = production_guards(store)
        for name, build in scenarios(store).items():
            if not names or name in names:
                finding = explore(build(guards))
                failures += finding.breach is not None
                print(f"{store:8} {name:24} {finding.describe()}", flush=True)
        for guard in GUARDS:
            if not names and guard.fragments(store) and guard.counterexample in scenarios(store):
                finding = explore(scenarios(store)[guard.counterexample](guards - {guard.name, *guard.without}))
                failures += finding.breach is None
                print(f"{store:8} without {guard.name:24} {finding.describe()}", flush=True)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
