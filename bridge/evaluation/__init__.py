"""What the bridge adds to `cstalk_bridge.models.evaluation`.

Procedural animation over generated faces, faces measured on a head, and contact sheets.
"""
