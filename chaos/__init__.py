"""`make chaos`: real processes, servers and a network, broken on purpose, and a ledger outside of all of them.

A *fault* (`faults/`) is one way of breaking things, again and again, in a *world* of its own (`world.py`): Postgres
servers, a proxy, workers, and somebody who submits. What happened is checked from outside (`checker.py`): by the
ledger,
an appended file, and by rows that the world's own trigger wrote, in the order of their commits.
"""
