"""The decision service over gRPC: who may ask, what is remembered by request id, what waits."""
