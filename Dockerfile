# One image for web, worker, beat and the demo shop; docker-compose.yml says which command each runs.
FROM python:3.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/fireline \
    UV_PYTHON_DOWNLOADS=never \
    FIRELINE_VAR=/data \
    PATH=/opt/fireline/bin:$PATH

RUN pip install --no-cache-dir uv==0.13.9 \
    && useradd --system --uid 10001 --home-dir /data --create-home fireline

WORKDIR /app
# Dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock .python-version ./
RUN uv sync --locked --no-group dev --no-cache

COPY . .

USER fireline
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "60", "--no-control-socket"]
