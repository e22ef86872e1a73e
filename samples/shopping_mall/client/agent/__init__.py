"""Agents: what this program sends out."""
