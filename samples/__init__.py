"""Runnable stories, one a folder; each is also a test."""
