"""What the documents say is true: tables, examples, and a client made from them."""
