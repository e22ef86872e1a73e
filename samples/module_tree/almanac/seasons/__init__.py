"""A package in the package, without code: it does not travel, and is made up at the other end."""
