"""Who has sent a webhook: an HMAC with SHA-256 over the body as it came, and in most schemes over a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .. import UsageError

TOLERANCE_SECONDS: Final = 300.0


class SignatureRefused(Exception):  # noqa: N818  # it becomes an answer, not an error of ours
    """The webhook is not signed, or not by who knows the secret; the message says what is wrong."""


class Signature(Protocol):
    """How a sender signs. A scheme of one's own is an object with this method."""

    def check(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The id of the delivery, the same when it is sent again, if the sender gives one. Raises `SignatureRefused`.

        `headers`: by their names in small letters.
        """


def secrets_of(given: str | Sequence[str], what: str) -> list[bytes]:
    """One secret, or the old one and the new one while they are changed. Raises `UsageError` for an empty one."""
    texts = [given] if isinstance(given, str) else list(given)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"{what}: give the secret, or a list of secrets, none of them empty")
    return [text.encode() for text in texts]


def check_fresh(timestamp: str, tolerance: float) -> None:
    """Raise `SignatureRefused` where a time is none, or so far from now that it may be an old webhook sent again."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise SignatureRefused("its timestamp is no number of seconds")
    if abs(time.time() - int(timestamp)) > tolerance:
        raise SignatureRefused(f"its timestamp is more than {tolerance:g} seconds from now: is a clock wrong?")


def header_of(headers: Mapping[str, str], name: str) -> str:
    """A header that must be there."""
    if name not in headers:
        raise SignatureRefused(f"the header {name} is missing")
    return headers[name]


def is_signed(secrets: Sequence[bytes], content: bytes, given: Sequence[bytes]) -> bool:
    """Whether one of the secrets makes one of the given digests; each comparison takes as long as any other."""
    found = False
    for secret in secrets:
        digest = hmac.new(secret, content, hashlib.sha256).digest()
        for one in given:
            found |= hmac.compare_digest(digest, one)
    return found


@dataclass(frozen=True)
class StandardWebhooks:
    """The open scheme of standardwebhooks.com: headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.

    `secret` is `whsec_…`, or several of them; `tolerance`: so many seconds the timestamp may be from now.
    """

    secret: str | Sequence[str]
    tolerance: float = TOLERANCE_SECONDS

    def __post_init__(self) -> None:
        self._keys()

    def __repr__(self) -> str:
        return "StandardWebhooks(…)"

    def _keys(self) -> list[bytes]:
        try:
            return [
                base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
                for secret in secrets_of(self.secret, "StandardWebhooks")
            ]
        except binascii.Error as error:
            raise UsageError("StandardWebhooks: the secret is whsec_ and base64") from error

    def check(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """See `Signature`."""
        delivery, timestamp = header_of(headers, "webhook-id"), header_of(headers, "webhook-timestamp")
        given = [
            decoded
            for one in header_of(headers, "webhook-signature").split()
            if one.startswith("v1,") and (decoded := _base64(one.removeprefix("v1,"))) is not None
        ]
        content = b".".join((delivery.encode(), timestamp.encode(), body))
        if not is_signed(self._keys(), content, given):
            raise SignatureRefused("webhook-signature was not made with the secret")
        check_fresh(timestamp, self.tolerance)
        return delivery


@dataclass(frozen=True)
class StripeSignature:
    """Stripe's scheme: the header `Stripe-Signature` with `t=…,v1=…`."""

    secret: str | Sequence[str]
    tolerance: float = TOLERANCE_SECONDS

    def __post_init__(self) -> None:
        secrets_of(self.secret, "StripeSignature")

    def __repr__(self) -> str:
        return "StripeSignature(…)"

    def check(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """See `Signature`. The id of the delivery is in the body, which is the sender's own."""
        parts = [part.strip().partition("=") for part in header_of(headers, "stripe-signature").split(",")]
        timestamps = [value for name, _, value in parts if name == "t"]
        given = [decoded for name, _, value in parts if name == "v1" and (decoded := _hex(value)) is not None]
        if len(timestamps) != 1 or not is_signed(
            secrets_of(self.secret, "StripeSignature"), f"{timestamps[0]}.".encode() + body, given
        ):
            raise SignatureRefused("stripe-signature was not made with the secret")
        check_fresh(timestamps[0], self.tolerance)
        return None


@dataclass(frozen=True)
class GitHubSignature:
    """GitHub's scheme: the header `X-Hub-Signature-256` over the body, without a time."""

    secret: str | Sequence[str]

    def __post_init__(self) -> None:
        secrets_of(self.secret, "GitHubSignature")

    def __repr__(self) -> str:
        return "GitHubSignature(…)"

    def check(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """See `Signature`."""
        given = _hex(header_of(headers, "x-hub-signature-256").removeprefix("sha256="))
        if given is None or not is_signed(secrets_of(self.secret, "GitHubSignature"), body, [given]):
            raise SignatureRefused("x-hub-signature-256 was not made with the secret")
        return headers.get("x-github-delivery")


def _hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
