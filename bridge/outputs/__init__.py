"""Outputs: where mapped frames go. One module per protocol, and one line each in `registry`.

registry -> livelink_face, osc, vmc, metahuman/   a protocol: encode, decode, link, open
            link, udp, osc_messages               what protocols share
            config                                how a user names an output"""
