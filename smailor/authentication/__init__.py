"""Authentication of mail: DKIM, SPF, DMARC and ARC, signed on the way out and judged on the way in.

Pure rules, one file each; evaluate.py joins them and their DNS questions.
"""

from smailor.authentication.evaluate import AuthenticationResult, authenticate

__all__ = ["AuthenticationResult", "authenticate"]
