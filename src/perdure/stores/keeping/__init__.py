"""Whole runs as rows: to be taken out of a database, put into another one, and removed when they are old.

Which tables a run has rows in is said here, once, for both kinds of database.
"""

from __future__ import annotations

from .columns import Row as Row
from .protocol import Expiry as Expiry
from .protocol import Keeper as Keeper
from .protocol import Moved as Moved
from .protocol import Removed as Removed
from .protocol import Rows as Rows
from .protocol import RowsMeetError as RowsMeetError
from .tables import DERIVED as DERIVED
from .tables import OF_RUNS as OF_RUNS
from .tables import PASSING as PASSING
from .tables import SETTINGS as SETTINGS
from .tables import Table as Table
