"""The HTTP shell: aiohttp routes around the services; no decision is made here."""
