# The service as one container; its database is a file on the volume /data, written by this one process.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /stepgrad && /stepgrad/bin/pip install --no-cache-dir .

FROM python:3.13-slim
COPY --from=build /stepgrad /stepgrad
RUN useradd --system --uid 1000 stepgrad && install --directory --owner=stepgrad /data
USER stepgrad
VOLUME /data
WORKDIR /data
ENV PATH=/stepgrad/bin:$PATH STEPGRAD_HOST=0.0.0.0 STEPGRAD_DATABASE_URL=sqlite:////data/stepgrad.db
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
# SIGTERM lets open answers end and closes the database.
CMD ["stepgrad", "serve"]
