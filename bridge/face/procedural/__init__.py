"""Procedural animation: gaze, blinks, head, brows and idle motion, what moves besides the words.

Everything here is causal, seeded and pure: `ProceduralAnimation.step` of a host time and of the
voice's cues gives what to overlay on the generated board. Nothing knows a thread, a clock or a
device.

    sound -> ProsodyTracker -> ProsodyLine -> ProceduralAnimation.step -> compose_faces(boards)
     hops    inference thread                 tick thread"""
