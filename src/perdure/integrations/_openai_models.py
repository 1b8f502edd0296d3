"""Models of the OpenAI Agents SDK whose requests are steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelProvider, ModelResponse, MultiProvider
from agents.items import TResponseStreamEvent
from pydantic import TypeAdapter

from .. import Stream, call, where
from ._step_options import StepOptions, step_options

RESPONSE: Any = TypeAdapter(ModelResponse)
EVENT: Any = TypeAdapter(TResponseStreamEvent)
EVENTS: Any = TypeAdapter(list[TResponseStreamEvent])


class PerdureModel(Model):
    """A model of the framework, each request to which is a step `openai_agents.model:NAME` in a workflow.

    `name` is kept in the database; by default it is the class of the model. `stream`: the key of the run's stream to
    which the events of an answer are written while they arrive.
    """

    def __init__(
        self, model: Any, name: str | None = None, *, options: StepOptions | None = None, stream: str | None = None
    ) -> None:
        self.model = model
        self._stream = None if stream is None else Stream(stream)
        self.name = f"openai_agents.model:{name or type(model).__name__}"
        self._options = step_options(options, "options")

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        """The answer, recorded or asked for."""

        async def ask() -> Any:
            return RESPONSE.dump_python(await self.model.get_response(*args, **kwargs), mode="json", by_alias=True)

        return RESPONSE.validate_python(await call(self.name, ask, **self._options))

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The events of an answer, recorded or asked for: all of them once the answer is complete. By then whoever
        reads the run's stream has seen them.
        """

        async def ask() -> Any:
            events = []
            async for event in self.model.stream_response(*args, **kwargs):
                events.append(EVENT.dump_python(event, mode="json", by_alias=True))
                if self._stream is not None and where() == "step":
                    self._stream.write(events[-1])
            return events

        for event in EVENTS.validate_python(await call(f"{self.name}, streamed", ask, **self._options)):
            yield event

    def get_retry_advice(self, request: Any) -> Any:
        """As the model itself advises."""
        return self.model.get_retry_advice(request)

    async def close(self) -> None:
        """Close the model."""
        await self.model.close()


class PerdureModels(ModelProvider):
    """A provider whose models are durable: `RunConfig(model_provider=PerdureModels())`; `run` has it already.

    `provider` finds the models themselves, by default the framework's own; `options` are those of the steps, `stream`
    is as of a `PerdureModel`.
    """

    def __init__(self, provider: Any = None, *, options: StepOptions | None = None, stream: str | None = None) -> None:
        self._provider = MultiProvider() if provider is None else provider
        self._stream = stream
        self._options = step_options(options, "options")

    def get_model(self, model_name: str | None) -> Any:
        """The model of this name."""
        model = self._provider.get_model(model_name)
        return PerdureModel(model, model_name or "default", options=self._options, stream=self._stream)

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()
