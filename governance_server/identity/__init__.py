"""Who an identity provider says is calling: its keys, its access tokens, and the principals they stand for here."""
