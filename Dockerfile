# An image of the bridge. Sound comes from the host: docs/service.md has the two recipes.
#   docker build -t cstalk-bridge .
FROM python:3.12-slim-bookworm

# libportaudio2 opens devices, libasound2-plugins lets it reach a PulseAudio or PipeWire socket.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libportaudio2 libasound2-plugins \
    && rm -rf /var/lib/apt/lists/* \
    && printf '</usr/share/alsa/alsa.conf>\npcm.!default pulse\nctl.!default pulse\n' \
        > /etc/asound.pulse.conf

WORKDIR /src
COPY . .
# PyTorch for CPUs: the other one brings gigabytes that a live face on a CPU does not use.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    -c constraints.txt . \
    && useradd --create-home --uid 1000 --groups audio bridge \
    && mkdir /show && chown 1000 /show

USER 1000
# config.yaml, rig maps and takes are in this folder; mount one of the host.
WORKDIR /show
VOLUME /show

EXPOSE 8530/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8530/health', timeout=2)"]
ENTRYPOINT ["cstalk-bridge"]
CMD ["run", "--no-ui", "--health"]
