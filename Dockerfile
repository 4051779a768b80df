# The testbed with the CPU build of torch:
#
#     docker build --tag testbed .
#     docker run --rm --volume "$PWD/runs:/results/runs" testbed run demo
#
# It runs as a user of its own: let user 1000 write to the folder, or add `--user "$(id -u)"`.
FROM python:3.11-slim
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
COPY . /source
RUN pip install --no-cache-dir /source && rm -r /source
RUN useradd --uid 1000 testbed && mkdir --parents /results/runs && chown --recursive testbed /results
USER testbed
ENV MPLBACKEND=Agg MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /results
ENTRYPOINT ["testbed"]
