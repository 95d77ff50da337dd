"""The parts of ``mechanism`` on the command line."""
