"""The console in a real browser: Playwright drives the system's Chromium."""
