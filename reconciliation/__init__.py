"""Do both ends agree? Digests, comparison, discrepancies, and the runs that produce them."""
