# The image of kuberay-job.yaml, built at the top of the repository:
#
#     docker build --file docs/cluster/search.Dockerfile --tag srcnn:0.1.0 .
#
# Head and workers run the same one, so all have the same versions. It begins with Ray's own image, since KubeRay counts on what
# is in it; rayVersion in kuberay-job.yaml is the same Ray.
FROM rayproject/ray:2.60.0-py311-gpu
COPY --chown=ray:users . /home/ray/srcnn
RUN pip install --no-cache-dir -e "/home/ray/srcnn[search]" "ray[default,tune]==2.60.0"
WORKDIR /home/ray/srcnn
