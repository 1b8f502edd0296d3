"""The stores as they are, for who looks at what a program has left in one, or sets it up for one."""

from __future__ import annotations

from perdure._entries import HookOpened, Stored, Wait
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest

__all__ = ["ClaimRequest", "HookOpened", "Stored", "Wait", "open_store"]
