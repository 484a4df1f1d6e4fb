# The application as an image: worker, sink and the deploy steps are commands of it.
FROM python:3.12-slim AS build

# The same uv as in the Makefile; the lock decides what is installed.
RUN pip install --no-cache-dir uv==0.13.8
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY domain domain
COPY schemas schemas
COPY tables tables
COPY agents agents
COPY connectors connectors
COPY streams streams
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim

RUN useradd --system --uid 10001 --no-create-home atstream \
    && install -d -o atstream -g atstream /data
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
# Settings may also be mounted as /data/atstream.toml.
WORKDIR /data
USER 10001
# SIGTERM is an orderly stop: what was written is acknowledged and committed first.
STOPSIGNAL SIGTERM
ENTRYPOINT ["atstream"]
CMD ["--help"]
