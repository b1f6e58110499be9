"""Control of a running bridge: by Python, OSC, keys, the page, and cues of the config."""
