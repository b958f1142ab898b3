# syntax=docker/dockerfile:1
# Wheels are checked against the lock's hashes; then only what Kassa itself requires is installed, from these alone.
FROM python:3.11-slim-trixie AS build
WORKDIR /build
COPY requirements.lock .
RUN pip download --quiet --disable-pip-version-check --require-hashes --dest wheels --requirement requirements.lock
COPY . .
RUN python -m venv /opt/kassa \
 && /opt/kassa/bin/pip install --quiet --disable-pip-version-check --no-index --find-links wheels .

FROM python:3.11-slim-trixie
# Uid 1000 is the first user of most machines, who owns the mounted keys. The directory is open to any uid, so that
# `user:` may name another.
RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin kassa \
 && install --directory --mode 1777 /var/lib/kassa
COPY --from=build /opt/kassa /opt/kassa
ENV PATH=/opt/kassa/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KASSA_DIR=/var/lib/kassa
USER kassa
WORKDIR /var/lib/kassa
VOLUME /var/lib/kassa
# Static membership wants an id of each replica's own that outlives a restart: the container's hostname does.
ENTRYPOINT ["sh", "-c", "export KASSA_WORKER_ID=${KASSA_WORKER_ID:-$(hostname)} KASSA_SINK_ID=${KASSA_SINK_ID:-$(hostname)}; exec \"$@\"", "kassa"]
CMD ["kassa", "--help"]
