"""A feed that is fetched over HTTP, page by page, with a cursor that outlives every crash."""
