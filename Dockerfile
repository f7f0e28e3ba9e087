# The base is pinned by its digest, which whoever builds looks up and gives:
#   make image PYTHON_DIGEST=sha256:...
# Python is of the version that the tests run on.
ARG PYTHON_TAG=3.11-slim-bookworm
ARG PYTHON_DIGEST

FROM docker.io/library/python:${PYTHON_TAG}@${PYTHON_DIGEST} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 SOURCE_DATE_EPOCH=0
# What is locked and seldom changes comes first, so that these layers are kept.
COPY requirements.lock requirements-build.lock requirements-sbom.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary=:all: --requirement requirements-build.lock
RUN python -m venv /opt/fleet-telemetry \
 && /opt/fleet-telemetry/bin/pip install --require-hashes --only-binary=:all: --requirement requirements.lock
RUN python -m venv /opt/sbom \
 && /opt/sbom/bin/pip install --require-hashes --only-binary=:all: --requirement requirements-sbom.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY operator operator
# The image needs no pip any more once the operator is in it.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/fleet-telemetry/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/fleet-telemetry/bin/pip uninstall --yes pip setuptools
# What the image contains of Python, taken from the environment itself.
RUN mkdir -p /opt/fleet-telemetry/share/sbom \
 && /opt/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
    --output-format JSON --output-file /opt/fleet-telemetry/share/sbom/fleet-telemetry.cdx.json \
    /opt/fleet-telemetry/bin/python

FROM docker.io/library/python:${PYTHON_TAG}@${PYTHON_DIGEST}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="fleet-telemetry-operator" \
      org.opencontainers.image.description="Decide, and prove, whether the vendor software in your clusters phones home." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/fleet-telemetry/operator" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/fleet-telemetry /opt/fleet-telemetry
# Nothing is written, but for a moment in /tmp: the root file system may be read-only.
ENV PATH=/opt/fleet-telemetry/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["fleet-telemetry"]
CMD ["--help"]
