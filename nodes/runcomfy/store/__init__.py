"""The journal on disk: durable transactions, claims, locks."""
