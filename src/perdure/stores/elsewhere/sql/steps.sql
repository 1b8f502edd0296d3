-- name: lay
-- In the user's database, beside his tables. Who makes it beside somebody else may be told that it is there.
CREATE TABLE IF NOT EXISTS perdure_steps (
    run_id      varchar(500) NOT NULL,
    step_key    varchar(255) NOT NULL,
    step_name   text NOT NULL,
    codec       text NOT NULL,
    body        text NOT NULL,
    recorded_at timestamp DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (run_id, step_key)
);

-- name: find
-- What a step has given that was committed before.
SELECT codec, body FROM perdure_steps WHERE run_id = %(run_id)s AND step_key = %(step_key)s;

-- name: record
-- With the step's own effect, or not at all.
INSERT INTO perdure_steps (run_id, step_key, step_name, codec, body)
VALUES (%(run_id)s, %(step_key)s, %(step_name)s, %(codec)s, %(body)s);
