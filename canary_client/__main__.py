"""`python -m canary_client URL --flag FLAG`: can figures be sent from here? Its empty batch counts nothing."""

from __future__ import annotations

import argparse
import os
import sys
import uuid

from canary_client.sending import Fate, Sender


def main() -> int:
    """Ask, say what came of it; 0 when figures would be taken, 1 when not."""
    parser = argparse.ArgumentParser(
        prog="python -m canary_client", description="Check that figures can be sent from here; counts nothing."
    )
    parser.add_argument("url", help="of the server: http://127.0.0.1:8501")
    parser.add_argument("--flag", required=True, help="key of the feature flag")
    parser.add_argument("--token-from", default="PUSH", metavar="NAME", help="environment variable with the token")
    options = parser.parse_args()
    token = os.environ.get(options.token_from, "")
    if not token:
        parser.error(f"no token: set {options.token_from}, or name another variable with --token-from")
    try:
        sender = Sender(options.url, token, timeout_s=5.0)
    except ValueError as error:
        parser.error(str(error))
    answer = sender.send({"batch": uuid.uuid4().hex, "flag": options.flag, "source": "connection check"})
    if answer.fate is not Fate.TAKEN or answer.rejected:
        print(f"not taken: {answer.why or '; '.join(answer.rejected)}", file=sys.stderr)
        return 1
    skew = "" if answer.skew_s is None else f"; this clock is {answer.skew_s:+.2f} s against the server's"
    print(f"figures of {options.flag} are taken{skew}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
