"""The CSTalk generator: network, engines on CPU and GPU, streaming, and the public API."""
