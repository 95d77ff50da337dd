"""The desks of the console, on both databases."""
