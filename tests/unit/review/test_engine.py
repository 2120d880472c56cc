"""What the engine once got wrong."""

from __future__ import annotations

from gopt.rewrite import Ledger


def test_keys_of_entries_are_unique_whatever_the_names() -> None:
    """The count in a key was lost where a name has a # of its own, so that two entries had one key."""
    ledger = Ledger()
    keys = []
    for name in ("a#1", "a#1", "a#2", "b)", "b)", "c", "c", "c"):
        key = ledger.key("rule", [name])
        ledger.commit("rule", key, (), ())
        keys.append(key)
    assert keys == [
        *("rule(a#1)", "rule(a#1)#2", "rule(a#2)", "rule(b))", "rule(b))#2"),
        *("rule(c)", "rule(c)#2", "rule(c)#3"),
    ]
