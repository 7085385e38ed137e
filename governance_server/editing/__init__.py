"""Editors: how each kind of resource is authorised, checked and written, by its own service and by change sets alike."""
