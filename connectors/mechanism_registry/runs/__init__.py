"""One run over a feed: survey, push, and where it stopped."""
