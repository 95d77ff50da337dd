"""What the console asks of the database, on both kinds of it."""
