"""The arguments of an endpoint in frameworks that inject none: what the path has, `query` and `body`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

import msgspec

from .. import UsageError
from ._endpoints import Endpoint
from ._keys import RequestRefused, problem


def takes(signature: Signature, name: str) -> bool:
    """Whether the function has this parameter."""
    return name in signature.parameters


class PlainEndpoint(Endpoint):
    """An endpoint whose parameters are named in the path, or are `query` and `body`."""

    def _refuse(self, unsuitable: tuple[type, ...]) -> None:
        super()._refuse(unsuitable)
        for parameter in self.signature.parameters.values():
            if parameter.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL, Parameter.POSITIONAL_ONLY):
                raise UsageError(
                    f"durable_endpoint {self.shown}: name its parameters: those of the path, `query` and `body`; it "
                    f"has {parameter}"
                )


def arguments_of(
    signature: Signature, path: Mapping[str, Any], query: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """The arguments. Raises `RequestRefused` for a body that is none of what the function takes."""
    arguments: dict[str, Any] = {name: value for name, value in path.items() if takes(signature, name)}
    if takes(signature, "query"):
        arguments["query"] = dict(query)
    if takes(signature, "body"):
        arguments["body"] = read_body(signature.parameters["body"].annotation, body)
    return arguments


def read_body(annotation: Any, body: bytes) -> Any:
    """The JSON body as what the parameter is annotated with: plain JSON, a dataclass, a pydantic model, bytes."""
    if annotation is bytes:
        return body
    try:
        if callable(validate := getattr(annotation, "model_validate_json", None)):
            return validate(body)
        return msgspec.json.decode(body, type=Any if annotation is Parameter.empty else annotation)
    except (ValueError, msgspec.ValidationError, msgspec.DecodeError) as error:
        raise RequestRefused(problem(422, "The body cannot be used", str(error))) from error
