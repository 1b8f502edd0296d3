"""The service in FastAPI."""

from __future__ import annotations

from fastapi import FastAPI

import perdure
from perdure.integrations.fastapi import RunStatus, durable_endpoint
from tests.integrations.programs.orders import charge, pack

app = FastAPI(lifespan=perdure.lifespan)
app.mount("/runs", RunStatus())


@app.post("/orders/{item}")
@durable_endpoint(name="orders", answer_within=0.3)
def order(item: str) -> str:
    """Charge, then pack."""
    return f"{charge(item)} {pack(item)}"
