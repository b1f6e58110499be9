"""What the bridge shows while it runs: metrics, health, the dashboard and the plain status line."""
