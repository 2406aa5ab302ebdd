FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/jianke
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY classifier classifier
COPY service service
COPY training training
COPY models models
RUN /opt/jianke/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[service]'

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin jianke \
    && install --directory --owner jianke --group jianke --mode 0700 /data
COPY --from=build /opt/jianke /opt/jianke
ENV PATH=/opt/jianke/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    JIANKE_HOST=0.0.0.0 \
    JIANKE_PORT=8000 \
    JIANKE_DATABASE_URL=sqlite:////data/jianke.sqlite3
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"JIANKE_PORT\"]}/readyz', timeout=4)"]
CMD ["jianke", "serve"]
