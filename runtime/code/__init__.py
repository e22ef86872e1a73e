"""Code at rest and in use: where accepted modules are kept, and how a client imports those it downloaded."""
