"""What the mall sells. Only these modules may leave it."""
