"""Three nodes of one host, whose meeting folder votes: one leads, whatever happens to it.

After kill -9 another leads at once, since the kernel tells of the death; one that stands still
(SIGSTOP) is overtaken within a lease, and finds that out when it runs again (I3).
"""

from harness.lease_steps import run_steps


def run(context):
    cluster = context.cluster(3)
    run_steps(context, cluster, mode=b"folder")
