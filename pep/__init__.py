"""The policy enforcement point: takes MCP messages, has each judged, and enforces the decision.

The path of one message over HTTP, by folder:

    front      bytes in, bounded; the request's way is `front/exchange`     edge
    mcp        headers, JSON-RPC, the ladder of what needs no decision      pure
    callers    the caller and its session                                   pure, edges for keys
    judge      Call -> Decision over gRPC, Decision -> Forward | Refuse     pure, one edge
    upstreams  the judged bytes out, the answer back                        edge
    load       how much one caller may have at a time                       edge

The bytes that are forwarded are the very bytes that were judged. No failure ends in a forward.
"""
