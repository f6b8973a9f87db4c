# The tracking server of compose.yaml: MLflow with its auth app, and a driver for PostgreSQL.
FROM python:3.11-slim
RUN pip install --no-cache-dir "mlflow[auth]==3.17.2" "psycopg[binary]>=3.2,<4"
# Made here, so that the named volume that is mounted over it belongs to the user and not to root.
RUN useradd --system --uid 10001 mlflow && install -d -o mlflow -m 700 /var/lib/mlflow /var/lib/mlflow/artifacts
COPY mlflow-auth.ini /etc/mlflow/auth.ini
USER mlflow
WORKDIR /var/lib/mlflow
