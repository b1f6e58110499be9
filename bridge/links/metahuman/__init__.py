"""The MetaHuman device: raw curves for Unreal 5.6 and later, in the way of the Live Link Face app.

    Unreal                          this program
    TCP  /session/start, ...  ->    server -> connection -> conversation -> device, feeds
    UDP  frames               <-    link, on the tick thread

Unreal connects to the device, asks which subjects there are and which controls they have, and says
at which UDP port it wants their frames. `framing`, `messages`, `bodies`, `frame` and `discovery`
hold the formats; they were described from Unreal's side and have not met an editor yet.
"""
