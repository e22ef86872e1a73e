"""From Python values to bytes and back: frames, codecs, messages."""
