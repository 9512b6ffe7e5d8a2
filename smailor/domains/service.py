"""Use cases around domains. Each function owns its transaction and returns plain values; DNS is an argument."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from smailor.accounts import audit, passwords, workspaces
from smailor.accounts.audit import SERVICE, Actor
from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.dns.answer import DnsClient
from smailor.domains.dkim_keys import Algorithm, KeyPair, generate_key_pair, selector_for
from smailor.domains.models import DkimKey, Domain
from smailor.domains.records import (
    PublishedKey,
    RecordCheck,
    RecordState,
    ServiceNames,
    WantedRecord,
    challenge_record,
    check_record,
)
from smailor.domains.records import wanted_records as _wanted_records
from smailor.errors import Conflict, NotFound, TemporaryFailure
from smailor.sealing import Sealer


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain, as other rooms and faces see it."""

    id: int
    name: str
    workspace: str
    verification_token: str
    verified_at: datetime | None
    selectors: tuple[str, ...]
    created_at: datetime


def add_domain(
    database: Database, *, workspace: str, name: str, sealer: Sealer, actor: Actor = SERVICE, now: datetime
) -> DomainView:
    """Claim a domain for a workspace, with a DKIM key of its own; it is used once it is verified.

    Args:
        database: where to.
        workspace: the workspace's slug.
        name: the domain.
        sealer: seals the private key.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: the name is not a domain.
        NotFound: no such workspace.
        Conflict: the workspace has it already, or another one has verified it.
    """
    domain_name = DomainName.parse(name)
    keys = generate_key_pair()
    with database.transaction() as session:
        place = workspaces.workspace_in(session, workspace)
        taken = select(Domain).where(Domain.name == domain_name.name)
        for other in session.scalars(taken):
            if other.workspace_id == place.id:
                raise Conflict(f"{workspace} has the domain {domain_name} already")
            if other.verified_at is not None:
                raise Conflict(f"{domain_name} is in use by another workspace")
        domain = Domain(
            workspace_id=place.id,
            name=domain_name.name,
            verification_token=passwords.draw_secret(),
            verified_at=None,
            created_at=now,
        )
        domain.dkim_keys.append(_new_key(Algorithm.RSA, keys, sealer, now))
        session.add(domain)
        session.flush()
        _record(session, actor, "domain.add", domain, workspace, now)
        return _view(domain, workspace)


def list_domains(database: Database, *, workspace: str | None = None) -> tuple[DomainView, ...]:
    """Return the domains of one workspace, or of all, by name.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        return list_domains_in(session, workspace)


def list_domains_in(session: Session, workspace: str | None) -> tuple[DomainView, ...]:
    """Return the domains of one workspace, or of all, within a transaction of a room above; raises NotFound."""
    query = select(Domain).options(joinedload(Domain.dkim_keys)).order_by(Domain.name, Domain.id)
    if workspace is None:
        return tuple(_views(session, query))
    query = query.where(Domain.workspace_id == workspaces.workspace_in(session, workspace).id)
    return tuple(_view(row, workspace) for row in session.scalars(query).unique())


def domains_in(session: Session, ids: Sequence[int]) -> dict[int, DomainView]:
    """Return these domains by id, within a transaction of a room above."""
    query = select(Domain).options(joinedload(Domain.dkim_keys)).where(Domain.id.in_(ids))
    return {view.id: view for view in _views(session, query)}


def verified_ids(names: Collection[str]) -> Select[int]:
    """Return the query for the numbers of verified domains by name, for a room above to nest in one of its own."""
    return select(Domain.id).where(Domain.name.in_(names), Domain.verified_at.is_not(None))


def count_domains(database: Database, *, among: Sequence[int]) -> dict[int, int]:
    """Return how many domains these workspaces have, by their numbers; one that has none is left out."""
    query = select(Domain.workspace_id, func.count()).where(Domain.workspace_id.in_(among))
    with database.reading() as session:
        return {row[0]: row[1] for row in session.execute(query.group_by(Domain.workspace_id))}


def get_domain(database: Database, *, workspace: str, name: str) -> DomainView:
    """Return one domain of a workspace.

    Raises:
        NotFound: the workspace has no such domain.
    """
    with database.reading() as session:
        return domain_in(session, workspace, name)


def domain_in(session: Session, workspace: str, name: str) -> DomainView:
    """Return one domain of a workspace within a transaction of a room above this one; raises NotFound."""
    return _view(_domain(session, workspace, name), workspace)


def wanted_records(database: Database, *, workspace: str, name: str, service: ServiceNames) -> tuple[WantedRecord, ...]:
    """Return the DNS records that a domain wants.

    Raises:
        NotFound: the workspace has no such domain.
    """
    with database.reading() as session:
        domain = _domain(session, workspace, name)
        keys = [PublishedKey(key.selector, key.public_key, Algorithm(key.algorithm)) for key in domain.dkim_keys]
        return _wanted_records(domain.name, domain.verification_token, keys, service)


def check_records(
    database: Database, *, workspace: str, name: str, service: ServiceNames, resolver: DnsClient
) -> tuple[RecordCheck, ...]:
    """Return each wanted record beside what DNS shows now.

    Raises:
        NotFound: the workspace has no such domain.
    """
    records = wanted_records(database, workspace=workspace, name=name, service=service)
    return tuple(check_record(record, _look_up(resolver, record)) for record in records)


def verify_domain(
    database: Database, *, workspace: str, name: str, resolver: DnsClient, actor: Actor = SERVICE, now: datetime
) -> DomainView:
    """Look for the ownership record and, when it is there, put the domain in use.

    Args:
        database: where to.
        workspace: the workspace's slug.
        name: the domain.
        resolver: asks DNS.
        actor: who.
        now: the present moment.

    Raises:
        NotFound: no such domain, or its record is not (yet) to be seen; the text says which record.
        TemporaryFailure: DNS did not answer.
        Conflict: another workspace has verified the domain in the meantime.
    """
    domain = get_domain(database, workspace=workspace, name=name)
    if domain.verified_at is not None:
        return domain
    record = challenge_record(domain.name, domain.verification_token)
    check = check_record(record, _look_up(resolver, record))
    if check.state is RecordState.UNKNOWN:
        raise TemporaryFailure(f"DNS did not answer for {record.name}; try again in a moment")
    if check.state is not RecordState.PRESENT:
        raise NotFound(f"the TXT record {record.name} with {record.value} is not there (yet)")
    try:
        with database.transaction() as session:
            row = _domain(session, workspace, name)
            row.verified_at = now
            session.flush()
            _record(session, actor, "domain.verify", row, workspace, now)
            return _view(row, workspace)
    except IntegrityError as error:
        raise Conflict(f"{domain.name} is in use by another workspace") from error


def delete_domain_in(session: Session, workspace: str, name: str) -> None:
    """Delete a domain and its keys, within the transaction of the room above that has emptied it; raises NotFound."""
    session.delete(_domain(session, workspace, name))


def add_ed25519_key(
    database: Database, *, workspace: str, name: str, sealer: Sealer, actor: Actor = SERVICE, now: datetime
) -> DomainView:
    """Give a domain an Ed25519 key, whose signatures go beside the RSA ones (RFC 8463).

    Args:
        database: where to.
        workspace: the workspace's slug.
        name: the domain.
        sealer: seals the private key.
        actor: who.
        now: the present moment.

    Raises:
        NotFound: the workspace has no such domain.
        Conflict: the domain has such a key already.
    """
    with database.transaction() as session:
        domain = _domain(session, workspace, name)
        if any(key.algorithm == Algorithm.ED25519 for key in domain.dkim_keys):
            raise Conflict(f"{domain.name} has an Ed25519 key already")
        domain.dkim_keys.append(_new_key(Algorithm.ED25519, generate_key_pair(Algorithm.ED25519), sealer, now))
        session.flush()
        details = {"selector": domain.dkim_keys[-1].selector, "algorithm": str(Algorithm.ED25519)}
        _record(session, actor, "dkim-key.add", domain, workspace, now, details)
        return _view(domain, workspace)


def _record(
    session: Session,
    actor: Actor,
    action: str,
    domain: Domain,
    workspace: str,
    now: datetime,
    details: Mapping[str, str] | None = None,
) -> None:
    on = f"domain:{domain.name}"
    audit.record_in(session, actor, action=action, on=on, workspace=workspace, details=details, now=now)


def _new_key(algorithm: Algorithm, keys: KeyPair, sealer: Sealer, now: datetime) -> DkimKey:
    return DkimKey(
        selector=selector_for(now, algorithm),
        algorithm=algorithm,
        private_key_sealed=sealer.seal(keys.private_key_pem),
        public_key=keys.public_key,
        created_at=now,
    )


def _look_up(resolver: DnsClient, record: WantedRecord) -> tuple[str, ...] | None:
    try:
        return resolver.query(record.name, record.kind).records
    except TemporaryFailure:
        return None


def _domain(session: Session, workspace: str, name: str) -> Domain:
    place = workspaces.workspace_in(session, workspace)
    domain_name = DomainName.parse(name)
    query = select(Domain).options(joinedload(Domain.dkim_keys))
    found = (
        session.scalars(query.where(Domain.workspace_id == place.id, Domain.name == domain_name.name))
        .unique()
        .one_or_none()
    )
    if found is None:
        raise NotFound(f"{workspace} has no domain {domain_name}")
    return found


def _views(session: Session, query: Select[Domain]) -> list[DomainView]:
    rows = session.scalars(query).unique().all()
    slugs = workspaces.workspace_slugs_in(session, [row.workspace_id for row in rows])
    return [_view(row, slugs[row.workspace_id]) for row in rows]


def _view(domain: Domain, workspace: str) -> DomainView:
    return DomainView(
        id=domain.id,
        name=domain.name,
        workspace=workspace,
        verification_token=domain.verification_token,
        verified_at=domain.verified_at,
        selectors=tuple(key.selector for key in domain.dkim_keys),
        created_at=domain.created_at,
    )
