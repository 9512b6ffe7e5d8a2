"""The secrets of one local service, made once a run directory and kept in one file that only root reads."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.fernet import Fernet


@dataclass(frozen=True, slots=True, repr=False)
class LocalSecrets:
    """What must not be guessed.

    Attributes:
        session_key: signs the web's cookies.
        sealing_key: seals DKIM private keys in the database.
        doveadm_api_key: lets the web close sessions.
        rspamd_password: of Rspamd's controller.
        operator_password: of the demonstration's operator.
        mail_role_password: of the PostgreSQL role that Postfix and Dovecot use.
    """

    session_key: str
    sealing_key: str
    doveadm_api_key: str
    rspamd_password: str
    operator_password: str
    mail_role_password: str

    @classmethod
    def make(cls) -> "LocalSecrets":
        """Draw new ones."""
        return cls(
            session_key=secrets.token_urlsafe(32),
            sealing_key=Fernet.generate_key().decode(),
            doveadm_api_key=secrets.token_hex(24),
            rspamd_password=secrets.token_hex(24),
            operator_password=secrets.token_urlsafe(12),
            mail_role_password=secrets.token_hex(24),
        )

    @classmethod
    def load_or_make(cls, file: Path) -> "LocalSecrets":
        """Read them from the file; where there is none, make them and write it."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            made = cls.make()
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(made)), encoding="utf-8")
        return made
