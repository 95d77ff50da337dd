"""SQL and nothing else: tables, the connection, one module a concept; never commits on its own.

``database`` opens SQLite or PostgreSQL; ``tables`` is the one schema of both; ``migrations``
brings a database up to it. Every other module is a set of functions of an open connection.
"""
