-- name: check_session
-- An outsider's first statement of a transaction: the session is one that was prepared, and durable.
SELECT perdure.check_session();

-- name: prepare_session
-- What must hold in every session: durable commits, and no statement, lock or transaction that lasts (rules 12 and 17).
-- The same values as in `check_session`, and for what goes past that. No plan is compiled: one that may not walk a table
-- and has to, a sequence for instance, is taken for so dear that the server would, for longer than all its work.
SELECT set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('idle_in_transaction_session_timeout', '5s', false),
       set_config('statement_timeout', '10s', false),
       set_config('lock_timeout', '5s', false),
       set_config('idle_session_timeout', '0', false),
       set_config('jit', 'off', false),
       CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
            THEN set_config('transaction_timeout', '0', false) END,
       current_setting('server_encoding');
