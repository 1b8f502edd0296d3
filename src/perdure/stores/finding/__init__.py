"""Finding runs: what people ask of them, and how a page of the answer is read, whatever the store.

It reads and never writes; nothing that a worker decides hangs on it.
"""

from __future__ import annotations

from .finder import Finder as Finder
from .found import FoundRun as FoundRun
from .found import MessageRow as MessageRow
from .found import Page as Page
from .found import ProgressRow as ProgressRow
from .found import QueueSeen as QueueSeen
from .found import RunRecord as RunRecord
from .found import StepRow as StepRow
from .found import StuckSeen as StuckSeen
from .found import WorkerSeen as WorkerSeen
from .said import Said as Said
from .wanted import Wanted as Wanted
