-- name: prepare_session
-- What must hold in every session: durable commits, and no transaction left open by a process that was stopped.
SELECT set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('idle_in_transaction_session_timeout', %(idle_seconds)s::text || 's', false),
       current_setting('server_encoding');
