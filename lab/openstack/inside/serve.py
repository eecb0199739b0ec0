"""One OpenStack API in one process: `python -m kasumi_lab.serve NAME MODULE ADDRESS PORT [OPTION…]` serves MODULE's `application`.

NAME is there for whoever looks for the process; the options are the application's.
"""

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

import waitress
from oslo_context.context import RequestContext

THREADS = 8
LONGEST_IMAGE_BYTES = 1 << 40


def main() -> None:
    """Serve until killed; the port is open only when the application is ready."""
    _, _, module, address, port, *options = sys.argv
    # The applications read the command line as theirs.
    sys.argv = [module, *options]
    application = importlib.import_module(module).application
    waitress.serve(
        _forgetful(application),
        listen=f"{address}:{port}",
        threads=THREADS,
        ident=None,
        max_request_body_size=LONGEST_IMAGE_BYTES,
        channel_timeout=300,
        clear_untrusted_proxy_headers=True,
    )


def _forgetful(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The application, each request of which begins with an empty context, which becomes that of its thread.

    Keystone looks into the context for tokens that it has seen to be good before it makes one for the request. It would find
    that of the thread's last request, and honour a revoked token whenever the thread had seen it before.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        RequestContext()
        return application(environ, start_response)

    return answer


if __name__ == "__main__":
    main()
