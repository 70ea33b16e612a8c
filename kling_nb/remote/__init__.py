"""Talking to the gateway: the API with the key, and the image servers without it.

The only room that imports httpx. `envelopes` and `refusals` read answers and are pure; `client` and
`download` do the talking.
"""
