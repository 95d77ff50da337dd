"""SQL and nothing else: functions of an open connection, which never commit."""
