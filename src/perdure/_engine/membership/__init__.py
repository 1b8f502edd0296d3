"""This worker among the others: its row, its lease, its lock, and the signs of life of the rest."""
