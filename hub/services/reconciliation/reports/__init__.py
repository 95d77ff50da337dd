"""The report of a night as a page, CSV and JSON; a session's result as it was logged and signed."""
