"""The exchange between two ends, as values: it does not know which end it is."""
