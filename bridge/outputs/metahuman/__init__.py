"""metahuman://: a MetaHuman device; raw curves for Unreal 5.6 and later.

It behaves as the Live Link Face app does:

    Unreal                          this program
    TCP  /session/start, ...  ->    server -> connection -> session -> device, feeds
    UDP  frames               <-    output, on the tick thread

Unreal connects to the device, requests its subjects and their controls, and names the UDP port to
which their frames go. `messages`, `frame` and `discovery` hold the formats; they
were described from Unreal's side and have not met an editor yet."""
