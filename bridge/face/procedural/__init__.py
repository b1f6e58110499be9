"""Procedural animation: gaze, blinks, head, brows and idle motion, besides the generated speech.

Everything here is causal, seeded and pure. `ProceduralAnimation.step` takes a host time and the
cues of the voice, and returns the motion to overlay on the generated board. Nothing here uses a
thread, a clock or a device.

    sound -> ProsodyTracker -> ProsodyLine -> ProceduralAnimation.step -> compose_poses
     hops    inference thread                 tick thread"""
