# All of DiverGen with every backend's extra. torch's own wheels carry CUDA: with `--gpus all` it runs on GPUs, without on
# the CPU.
#   docker build --tag divergen .
#   docker run --rm --gpus all --volume "$PWD:/data" divergen quickstart
# Without extras, as small as it gets: docker build --build-arg EXTRAS= --tag divergen .
FROM python:3.12-slim
ARG EXTRAS=[all]
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
COPY packages /source/packages
COPY integration /source/integration
RUN cd /source && pip install --no-cache-dir ./packages/* "./integration${EXTRAS}" && rm -rf /source
# Models of the hub are kept beside the work, not in the container.
ENV HF_HOME=/data/.cache/huggingface
WORKDIR /data
ENTRYPOINT ["divergen"]
