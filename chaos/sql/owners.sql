SELECT sum(amount)::int FROM chaos.owners
