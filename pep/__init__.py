"""The policy enforcement point: takes MCP messages, asks whether each may pass, and acts on it.

The path of one message over HTTP:

    http      bytes in, bounded                         edge
    headers   which era, which mirrors, who may ask     pure
    jsonrpc   bytes -> Request | Notification | Response  pure
    admit     the ladder: everything that needs no decision  pure
    ask       Call -> Decision, over gRPC               edge
    enforce   Decision -> Forward | Refuse              pure
    upstream  the judged bytes out, the answer back     edge

What is forwarded is the very bytes that were judged. Nothing that fails ends in a forward.
"""
