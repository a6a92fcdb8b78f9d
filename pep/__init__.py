"""The policy enforcement point: takes MCP messages, asks whether each may pass, and acts on it.

The path of one message over HTTP, by folder:

    front      bytes in, bounded; the request's way is `front/exchange`     edge
    mcp        headers, JSON-RPC, the ladder of what needs no decision      pure
    callers    who calls, in which session                                  pure, edges for keys
    judge      Call -> Decision over gRPC, Decision -> Forward | Refuse     pure, one edge
    upstreams  the judged bytes out, the answer back                        edge
    load       how much one caller may have at a time                       edge

What is forwarded is the very bytes that were judged. Nothing that fails ends in a forward.
"""
