# One server. Without STEPGRAD_DATABASE_URL its database is an SQLite file on the volume /data, which this one process
# writes; docker-compose.yml gives several of them one PostgreSQL.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv --without-pip /stepgrad \
    && pip --python /stepgrad/bin/python install --no-cache-dir ".[postgres]"

FROM python:3.13-slim
COPY --from=build /stepgrad /stepgrad
RUN useradd --system --uid 1000 stepgrad && install --directory --owner=stepgrad /data
USER stepgrad
VOLUME /data
WORKDIR /data
ENV PATH=/stepgrad/bin:$PATH STEPGRAD_HOST=0.0.0.0 STEPGRAD_DATABASE_URL=sqlite:////data/stepgrad.db
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --start-interval=1s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
# SIGTERM lets open answers end and closes the database.
CMD ["stepgrad", "serve"]
