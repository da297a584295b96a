"""Which of Twisted's test modules are run."""

from __future__ import annotations

from importlib.util import find_spec

# Those that use a reactor's time, or a reactor at all, and are quick.
TIME_MODULES = (
    "twisted.internet.test.test_asyncioreactor",
    "twisted.internet.test.test_base",
    "twisted.internet.test.test_cfreactor",
    "twisted.internet.test.test_core",
    "twisted.internet.test.test_default",
    "twisted.internet.test.test_endpoints",
    "twisted.internet.test.test_epollreactor",
    "twisted.internet.test.test_fdset",
    "twisted.internet.test.test_gireactor",
    "twisted.internet.test.test_glibbase",
    "twisted.internet.test.test_kqueuereactor",
    "twisted.internet.test.test_main",
    "twisted.internet.test.test_posixbase",
    "twisted.internet.test.test_reactormixins",
    "twisted.internet.test.test_resolver",
    "twisted.internet.test.test_sigchld",
    "twisted.internet.test.test_socket",
    "twisted.internet.test.test_tcp",
    "twisted.internet.test.test_testing",
    "twisted.internet.test.test_threads",
    "twisted.internet.test.test_time",
    "twisted.internet.test.test_tls",
    "twisted.internet.test.test_udp",
    "twisted.internet.test.test_unix",
    "twisted.protocols.test.test_basic",
    "twisted.test.test_application",
    "twisted.test.test_cooperator",
    "twisted.test.test_defer",
    "twisted.test.test_htb",
    "twisted.test.test_internet",
    "twisted.test.test_loopback",
    "twisted.test.test_policies",
    "twisted.test.test_task",
    "twisted.test.test_tcp",
    "twisted.test.test_threadable",
    "twisted.test.test_threads",
    "twisted.test.test_twistd",
    "twisted.trial._dist.test.test_disttrial",
    "twisted.trial.test.test_asyncassertions",
    "twisted.trial.test.test_tests",
    "twisted.trial.test.test_util",
)


def names(modules: str) -> list[str]:
    """What trial is to load: for "all", for "time", or for names parted by commas.

    Of the list for "time", modules that this version of Twisted lacks are left out.
    Raises ModuleNotFoundError for a name of the caller's that is no module.
    """
    if modules == "all":
        return ["twisted"]
    if modules == "time":
        return [name for name in TIME_MODULES if find_spec(name) is not None]
    for name in modules.split(","):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"there is no module {name}")
    return modules.split(",")
