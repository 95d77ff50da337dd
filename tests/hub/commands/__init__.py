"""The commands of an operator, run as an operator runs them."""
