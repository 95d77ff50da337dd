"""Tests of `hub.transparency_log`: exactly C2SP and RFC 6962, and strict about it."""
