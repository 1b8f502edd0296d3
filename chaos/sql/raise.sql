UPDATE chaos.owners SET amount = amount + 1 WHERE owner = %s
