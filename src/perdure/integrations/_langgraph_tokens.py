"""What the models in a LangGraph node say, on a stream of the run in which the graph is called, while they say it."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import merge_configs

from .. import Stream, where


class Tokens(BaseCallbackHandler):
    """Writes each token that a model in the node is heard to say: `{"node": ..., "token": ...}`."""

    run_inline = True  # in the order in which they come
    raise_error = True

    def __init__(self, out: Stream, node: str) -> None:
        self._out = out
        self._node = node

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        """Of a model that is streamed. A token is a text, or what the model has in its place as JSON."""
        if where() == "step":
            self._out.write({"node": self._node, "token": token})


def heard(config: Any, out: Stream | None, node: str) -> Any:
    """The configuration of a node whose models are listened to."""
    return config if out is None else merge_configs(config, {"callbacks": [Tokens(out, node)]})
