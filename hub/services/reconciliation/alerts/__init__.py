"""Who is told of nights and sessions, by signed webhook and by e-mail."""
