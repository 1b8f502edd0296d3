"""The two models: OpenAI's when OPENAI_API_KEY is set, else small local ones that need no network.

The local embedding hashes words, pairs of words and years into a vector; the local language model quotes the line
that answers best (`answers.py`) and says that it is the local one.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from llama_index.core import PromptTemplate, Settings
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.llms import LLM, CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.node_parser import SimpleFileNodeParser

from examples.document_indexing.answers import Passage, answer
from examples.document_indexing.words import is_common, words, years

DIMENSIONS = 1024
PROMPT = PromptTemplate(
    "Passages of documents follow, each with its source.\n\n{context_str}\n\n"
    "Answer from these passages only. Name the document and the page. If they do not hold the answer, say so.\n"
    "Question: {query_str}\nAnswer: "
)
_NOTE = "Answered by the small local model, which quotes what it finds; set OPENAI_API_KEY to use OpenAI's."


@dataclass(frozen=True, slots=True)
class Models:
    """What turns text into vectors and questions into answers."""

    name: str
    """Part of the table's name: vectors of different models cannot be compared."""
    embedding: BaseEmbedding
    language: LLM
    passages: int
    """How many passages the language model is given; the local one costs nothing and picks for itself."""


@cache
def models() -> Models:
    """The models that this process uses, chosen by the environment on first use."""
    # LlamaIndex would otherwise load, and for some models fetch, a tokenizer and a sentence splitter.
    Settings.tokenizer = str.split
    Settings.node_parser = SimpleFileNodeParser()
    if os.environ.get("OPENAI_API_KEY"):
        from llama_index.embeddings.openai import OpenAIEmbedding
        from llama_index.llms.openai import OpenAI

        embedding = OpenAIEmbedding(model="text-embedding-3-small", dimensions=DIMENSIONS)
        return Models("openai", embedding, OpenAI(model="gpt-4o-mini"), passages=8)
    return Models("local", HashedWords(), QuotingModel(), passages=40)


class HashedWords(BaseEmbedding):
    """An embedding without a trained model: features are hashed to signed places of a vector of 1024 numbers.

    A chunk's vector is the sum of its heading's and its text's unit vectors, so that whose report it is counts as much
    as what the page says. Words that most filings have weigh less, numbers other than years nothing.
    """

    model_name: str = "hashed-words"

    def _get_text_embedding(self, text: str) -> list[float]:
        heading, _, body = text.partition("\n\n")
        vector = _unit(_vector(heading) + _vector(body)) if body else _vector(heading)
        return list(map(float, vector))

    def _get_query_embedding(self, query: str) -> list[float]:
        return list(map(float, _vector(query)))

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class QuotingModel(CustomLLM):
    """A language model without a trained model: it quotes the line of the prompt's passages that answers best."""

    @property
    def metadata(self) -> LLMMetadata:
        """Room for every passage; nothing here counts tokens."""
        return LLMMetadata(context_window=1_000_000, num_output=1_000, model_name="quoting")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt made with `PROMPT`."""
        context, _, question = prompt.rpartition("\nQuestion: ")
        question = question.rpartition("\nAnswer:")[0]
        return CompletionResponse(text=f"{answer(question, _passages(context))}\n\n({_NOTE})")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The whole answer in one piece."""
        response = self.complete(prompt, formatted=True)
        response.delta = response.text
        yield response


def _passages(context: str) -> list[Passage]:
    """The passages as LlamaIndex wrote them in the prompt: blocks of metadata and text in turn."""
    found: list[Passage] = []
    blocks = context.split("\n\n")
    for source, text in pairwise(blocks):
        if source.startswith("url: "):
            entries = dict(line.split(": ", 1) for line in source.splitlines() if ": " in line)
            found.append(
                Passage(
                    text=text,
                    url=entries["url"],
                    page=entries.get("page_label", ""),
                    subject=f"{entries.get('heading', '')} {entries.get('file_name', '')}",
                )
            )
    return found


def _vector(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for feature, count in Counter(_features(text)).items():
        for place, weight in _places(feature):
            vector[place] += weight * (1 + math.log(count))
    return _unit(vector)


def _features(text: str) -> Iterable[str]:
    found = words(text)
    yield from found
    yield from (f"{one} {two}" for one, two in pairwise(found))
    yield from years(text)


@lru_cache(maxsize=100_000)
def _places(feature: str) -> tuple[tuple[int, float], ...]:
    """Four signed places: two features rarely share more than one of them."""
    digest = blake2b(feature.encode(), digest_size=12).digest()
    weight = _weight(feature) / 2
    return tuple(
        (int.from_bytes(digest[i : i + 2], "big") % DIMENSIONS, weight if digest[i + 2] & 1 else -weight)
        for i in range(0, 12, 3)
    )


def _weight(feature: str) -> float:
    if feature.isdigit():
        return 2.0
    parts = feature.split(" ")
    common = all(map(is_common, parts))
    if len(parts) > 1:
        return 0.7 if common else 0.4
    return 0.8 if common else 2.5


def _unit(vector: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
