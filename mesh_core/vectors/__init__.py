"""Vector collections: passages, the store Protocol and its two adapters (LanceDB, Weaviate), each loaded when it is opened."""
