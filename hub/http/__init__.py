"""The aiohttp shell: bytes arrive, a service decides, a signed answer leaves."""
