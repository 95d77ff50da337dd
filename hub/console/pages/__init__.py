"""The pages, one module for each family; each ends with the table of its routes."""
