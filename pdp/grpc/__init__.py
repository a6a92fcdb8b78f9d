"""The decision service over gRPC: admission, batching, answers remembered by request id."""
