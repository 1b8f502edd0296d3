-- name: queue_rows
-- What was set for queues: for all of them, or for these.
SELECT name, worker_concurrency, concurrency, rate, period_seconds, key_concurrency, key_rate, key_period_seconds,
       on_overflow, extract(epoch FROM paused_at)::float8, is_keyed
  FROM perdure.queues
 WHERE %(names)s::text[] IS NULL OR name = ANY (%(names)s::text[])
 ORDER BY name;

-- name: set_queue
-- Somebody sets something for a queue that somebody knows.
SELECT perdure.set_queue(%(name)s, %(changes)s::jsonb, %(is_known)s);

-- name: declare_queue
-- What a program declares for a queue.
SELECT perdure.declare_queue(%(name)s, %(declaration)s::jsonb);

-- name: pause_function
-- Runs of a function begin no more, or again.
SELECT perdure.pause_function(%(name)s, %(is_paused)s);

-- name: paused_functions
-- The functions whose runs do not begin.
SELECT name, extract(epoch FROM paused_at)::float8 FROM perdure.pauses ORDER BY name;

-- name: heal_keys
-- Keys that wait and are in no line.
SELECT perdure.heal_keys(%(name)s, %(after_key)s);
