"""Section `fuzz`: random malformed inputs, and the targets at which they are tried."""
