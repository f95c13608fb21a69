"""The sandbox: stand-ins for the providers, one module each, true to what docs/connectors says of them.

It knows nothing of the product: it is the other side. A module here with a `stand_in` is a provider; adding one edits no
other file.
"""
