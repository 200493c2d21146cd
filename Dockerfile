# syntax=docker/dockerfile:1
FROM python:3.13-slim AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /build

# uv and hatchling by hash, then what the service needs by hash: this layer only changes with the locks.
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/algoexec \
    && uv pip install --no-cache --python /opt/algoexec/bin/python --compile-bytecode --require-hashes -r requirements.lock

COPY pyproject.toml README.m[d] ./
COPY src src
COPY migrations migrations
RUN hatchling build -t wheel \
    && uv pip install --no-cache --python /opt/algoexec/bin/python --compile-bytecode --no-deps dist/*.whl


FROM python:3.13-slim

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/algoexec --shell /usr/sbin/nologin algoexec
COPY --from=builder /opt/algoexec /opt/algoexec

# numba keeps compiled code beside the source, which this user cannot write.
ENV PATH=/opt/algoexec/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/lib/algoexec/.numba \
    ALGOEXEC_HOST=0.0.0.0 \
    ALGOEXEC_PORT=8000 \
    ALGOEXEC_DATA_DIR=/var/lib/algoexec
USER algoexec
WORKDIR /var/lib/algoexec
VOLUME /var/lib/algoexec
EXPOSE 8000

# A stop is a hand-over: the service closes its streams and gives back its leases first.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['ALGOEXEC_PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["algoexec"]
CMD ["serve"]
