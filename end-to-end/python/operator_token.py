"""Prints an operator token as SysScore operators make them: HS256 by PyJWT.

operator_token.py SECRET [SECONDS]: valid for SECONDS from now (3600); negative: expired.
"""

import sys
import time

import jwt

secret, *rest = sys.argv[1:]
seconds = int(rest[0]) if rest else 3600
print(jwt.encode({"sub": "operator", "exp": int(time.time()) + seconds}, secret, algorithm="HS256"))
