"""Catalogues of the console's words, one a language, and what keeps them up to date."""
