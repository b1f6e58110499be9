"""What a running bridge can be told: from Python, over OSC, by keys, by the page, by a timeline."""
