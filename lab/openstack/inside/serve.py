"""One OpenStack API in one process: `python -m kasumi_lab.serve NAME MODULE ADDRESS PORT [OPTION…]` serves MODULE's `application`.

NAME is there for whoever looks for the process; the options are the application's.
"""

import importlib
import sys

import waitress

THREADS = 8
LONGEST_IMAGE_BYTES = 1 << 40


def main() -> None:
    """Serve until killed; the port is open only when the application is ready."""
    _, _, module, address, port, *options = sys.argv
    # The applications read the command line as theirs.
    sys.argv = [module, *options]
    application = importlib.import_module(module).application
    waitress.serve(
        application,
        listen=f"{address}:{port}",
        threads=THREADS,
        ident=None,
        max_request_body_size=LONGEST_IMAGE_BYTES,
        channel_timeout=300,
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    main()
