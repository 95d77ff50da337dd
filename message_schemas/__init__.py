"""The words both ends share: catalogue, frozen messages, JSON and XML codecs, schemas."""
