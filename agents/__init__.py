"""The author's side of an agent: which modules it is made of, what it remembers, and how both are described."""
