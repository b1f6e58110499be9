"""Links: pure encoders of what receivers understand, and the thin sockets that carry it."""
