"""The one AWS operation of the second scene: StartPolicyGeneration. `python aws_stub.py PORT`.

moto does not simulate Bedrock AgentCore, so this answers in the shape of its API model.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WHEN = "2026-01-01T00:00:00Z"


class Handler(BaseHTTPRequestHandler):
    """Says of every generation that it has begun."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer POST /policy-engines/ID/policy-generations."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        answer = json.dumps(
            {
                "policyEngineId": self.path.split("/")[2],
                "policyGenerationId": f"{asked['name']}-0123456789",
                "policyGenerationArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:pg/demo",
                "name": asked["name"],
                "resource": asked["resource"],
                "status": "GENERATING",
                "statusReasons": [],
                "createdAt": WHEN,
                "updatedAt": WHEN,
            }
        ).encode()
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
