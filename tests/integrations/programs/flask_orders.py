"""The service in Flask; nothing is launched when it is imported."""

from __future__ import annotations

import os

from flask import Flask

from perdure.integrations.flask import durable_endpoint, run_status
from perdure.integrations.wsgi import launched
from tests.integrations.programs.orders import charge, pack

app = Flask(__name__)
app.wsgi_app = launched(app.wsgi_app, poll_seconds=0.1)  # type: ignore[method-assign]  # as Flask's pages say
app.register_blueprint(run_status())


@app.post("/orders/<item>")
@durable_endpoint(name="orders", answer_within=0.3)
def order(item: str) -> str:
    """Charge, then pack."""
    return f"{charge(item)} {pack(item)}"


@app.get("/pid")
def pid() -> str:
    """Which process answers."""
    return str(os.getpid())
