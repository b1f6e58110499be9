"""What moves a face besides its words: gaze, blinks, head, brows and breath.

Everything here is causal, seeded and pure: `Life.step` of a host time and of the voice's cues gives
what to lay over the generated board. Nothing knows a thread, a clock or a device.

    sound -> ProsodyTracker -> ProsodyLine -> Life.step -> faces(boards), Living.head
     hops    generator thread                 tick thread
"""
