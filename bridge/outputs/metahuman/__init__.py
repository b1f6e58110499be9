"""metahuman://: a MetaHuman device; raw curves for Unreal 5.6 and later.

It behaves as the Live Link Face app does:

    Unreal                          this program
    TCP  /session/start, ...  ->    server -> connection -> session -> device, feeds
    UDP  frames               <-    output, on the tick thread

Unreal connects to the device, asks which subjects there are and which controls they have, and says
at which UDP port it wants their frames. `messages`, `frame` and `discovery` hold the formats; they
were described from Unreal's side and have not met an editor yet."""
