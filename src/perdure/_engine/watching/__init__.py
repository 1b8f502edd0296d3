"""What others do, learned here: the ends of runs, and what only a look at the database shows."""
