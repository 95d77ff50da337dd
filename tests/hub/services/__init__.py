"""The use cases on real databases, without processes or sockets."""
