"""The worker: asks Temporal's server for work. `python -m examples.document_indexing.temporal.worker` starts one."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from examples.document_indexing.temporal.activities import index_document
from examples.document_indexing.temporal.workflows import TASK_QUEUE, IndexChunk, IndexDocuments

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""As many as ThreadPoolExecutor() has."""


async def main() -> None:
    """Work until interrupted."""
    client = await Client.connect(
        os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), data_converter=pydantic_data_converter
    )
    with ThreadPoolExecutor(THREADS) as executor:
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[IndexDocuments, IndexChunk],
            activities=[index_document],
            activity_executor=executor,
            max_concurrent_activities=THREADS,
        )
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
