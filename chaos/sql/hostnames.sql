SELECT id::text, hostname, pid FROM perdure.workers
