"""What the console's pages ask of the database: searches and sums, each answered by an index."""
