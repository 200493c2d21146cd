# syntax=docker/dockerfile:1
# The service, without what only backtests and a private database need. Runs as a user of its own, on a file system
# that it cannot write but for /var/lib/algoexec and /tmp. docs/deployment.md says how it is used.
FROM python:3.13-slim-bookworm AS builder

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /build

# uv and hatchling by hash, then what the service needs by hash: this layer only changes with the locks.
COPY requirements-build.lock requirements-image.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/algoexec \
    && uv pip install --no-cache --python /opt/algoexec/bin/python --compile-bytecode --require-hashes \
        -r requirements-image.lock

COPY pyproject.toml README.md ./
COPY src src
COPY migrations migrations
RUN hatchling build -t wheel \
    && uv pip install --no-cache --python /opt/algoexec/bin/python --compile-bytecode --no-deps dist/*.whl


FROM python:3.13-slim-bookworm

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/algoexec --shell /usr/sbin/nologin algoexec
COPY --from=builder /opt/algoexec /opt/algoexec

# Everything is compiled already, and numba keeps what it compiles where this user can write.
ENV PATH=/opt/algoexec/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    ALGOEXEC_HOST=0.0.0.0 \
    ALGOEXEC_PORT=8000 \
    ALGOEXEC_DATA_DIR=/var/lib/algoexec
USER 10001
WORKDIR /var/lib/algoexec
VOLUME /var/lib/algoexec
EXPOSE 8000

# A stop is a hand-over: no entry is sent any more, streams are closed, leases are given back.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['ALGOEXEC_PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["algoexec"]
CMD ["serve"]
