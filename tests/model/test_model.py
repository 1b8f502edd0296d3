"""The protocol holds with the guards that the production statements have, and breaks without any of them."""

from __future__ import annotations

import pytest

from model.__main__ import main
from model.checker import explore
from model.guards import Guard, found_in
from model.scenarios import GUARDS, SMALL, STORES, production_guards, scenarios
from model.statements import made_in, read_statements

CASES = [(store, name) for store in STORES for name in scenarios(store)]
OF_STORE = [(store, guard) for store in STORES for guard in GUARDS if guard.fragments(store)]


@pytest.mark.parametrize(
    ("store", "name"),
    [pytest.param(*case, marks=() if case[1] in SMALL else pytest.mark.long) for case in CASES],
)
def test_every_invariant_holds(store: str, name: str) -> None:
    """With the guards that stand in the statements no state within the bounds breaks an invariant."""
    finding = explore(scenarios(store)[name](production_guards(store)))

    assert finding.holds, finding.describe()


def test_what_was_not_looked_at_to_its_end_does_not_hold() -> None:
    """Nothing broke, as far as it went."""
    finding = explore(scenarios("sqlite")[SMALL[0]](production_guards("sqlite")), most_states=10)

    assert finding.breach is None
    assert not finding.holds


@pytest.mark.parametrize("words", [["sqlite", "--help"], ["famly"], ["sqlite", "failover"]])
def test_a_scenario_that_is_none_is_said_to_be_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """To look for nothing, and to find nothing, is no success."""
    assert main(words) == 2
    assert "There are:" in capsys.readouterr().out


def test_a_migration_need_not_make_a_function() -> None:
    """Only of what it makes there is a text, each up to the next."""
    assert list(made_in("ALTER TABLE runs ADD COLUMN more TEXT;")) == []
    assert dict(made_in("CREATE VIEW a AS\nSELECT 1;\nCREATE VIEW b AS SELECT 2;")) == {
        "a": "CREATE VIEW a AS SELECT 1;",
        "b": "CREATE VIEW b AS SELECT 2;",
    }


@pytest.mark.parametrize(("store", "guard"), OF_STORE, ids=lambda case: getattr(case, "name", case))
def test_each_fragment_is_its_guard(store: str, guard: Guard) -> None:
    """Whichever fragment is taken out of its statement, the model knows that the guard is gone."""
    statements = read_statements()
    assert guard.name in found_in([guard], statements, store), f"{guard.name} has left its place: {guard.why}"

    for place, text in guard.fragments(store):
        mutant = {**statements, place: statements[place].replace(text, "")}
        assert guard.name not in found_in([guard], mutant, store)


@pytest.mark.parametrize(("store", "guard"), OF_STORE, ids=lambda case: getattr(case, "name", case))
def test_each_guard_is_needed(store: str, guard: Guard) -> None:
    """Without the guard (and its second belt, where it has one) there is a counterexample."""
    build = scenarios(store).get(guard.counterexample)
    if build is None:
        pytest.skip("a failover is what this one guards against, and this store has none")

    finding = explore(build(production_guards(store) - {guard.name, *guard.without}))

    assert finding.breach is not None
    assert finding.trace
