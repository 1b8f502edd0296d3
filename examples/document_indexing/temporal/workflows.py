"""The workflows: they run in Temporal's sandbox, and may only compute, wait and call activities or each other."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from pydantic import HttpUrl

    from examples.document_indexing.temporal.activities import index_document

TASK_QUEUE = "indexing"
CHUNK = 500
"""Documents of one child: a workflow should have no more than 500 activities in flight, its history 2,000 events."""


@workflow.defn
class IndexDocuments:
    """Index every document and return the number of pages, through a child for every chunk."""

    @workflow.run
    async def run(self, urls: list[HttpUrl]) -> int:
        """Start the children, wait for them, add up."""
        children = []
        for offset in range(0, len(urls), CHUNK):
            child = await workflow.start_child_workflow(
                IndexChunk.run, urls[offset : offset + CHUNK], id=f"{workflow.info().workflow_id}/chunk-{offset}"
            )
            children.append(child)
        return sum(await asyncio.gather(*children))


@workflow.defn
class IndexChunk:
    """Index some documents and return the number of pages; one that cannot be indexed does not stop the others."""

    @workflow.run
    async def run(self, urls: list[HttpUrl]) -> int:
        """Call the activity for each."""
        return sum(await asyncio.gather(*(pages_of(url) for url in urls)))


async def pages_of(url: HttpUrl) -> int:
    """The document's number of pages; none, and a line in the log, if it could not be indexed."""
    try:
        return await workflow.execute_activity(
            index_document,
            url,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(non_retryable_error_types=["DocumentError"]),
        )
    except ActivityError as error:
        workflow.logger.warning("Not indexed: %s", error.cause)
        return 0
