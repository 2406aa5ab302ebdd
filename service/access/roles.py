"""Who may do what: roles, the acting principal, and one policy class a resource."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from service.errors import ServiceError

ROLES: dict[str, str] = {"pipeline": "系统", "reviewer": "审核员", "expert": "专家", "supervisor": "主管", "admin": "管理员"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. `actor` as in the audit trail; `scopes`: resources, None for people; `district`: a code's prefix."""

    actor: str
    role: str
    district: str
    scopes: frozenset[str] | None = None
    account_id: str = ""

    def covers(self, district: str) -> bool:
        """Whether a district is in this principal's charge."""
        return district.startswith(self.district)

    def must_cover(self, district: str) -> None:
        """Raise ServiceError E422 for a district that is not in this principal's charge."""
        if not self.covers(district):
            raise ServiceError("E422", found=district or "全部", expected=self.district)

    def must_hold(self, scopes: Iterable[str]) -> None:
        """Raise ServiceError E421 for scopes that this principal, a key, does not have and so cannot give."""
        missing = "、".join(scope for scope in scopes if self.scopes is not None and scope not in self.scopes)
        if missing:
            raise ServiceError("E421", found=f"密钥没有范围 {missing}", expected=f"范围 {missing}")


class Policy:
    """The roles that may take each action on one resource. Subclass it, name the resource and the actions."""

    resource: ClassVar[str]
    actions: ClassVar[Mapping[str, frozenset[str]]]

    @classmethod
    def check(cls, principal: Principal, action: str) -> None:
        """Raise ServiceError E421 unless the principal's role, and its key's scopes, allow the action."""
        if principal.scopes is not None and cls.resource not in principal.scopes:
            raise ServiceError("E421", found=f"密钥没有范围 {cls.resource}", expected=f"范围 {cls.resource}")
        if principal.role not in cls.actions[action]:
            roles = "、".join(ROLES[role] for role in ROLES if role in cls.actions[action])
            raise ServiceError("E421", found=f"{ROLES[principal.role]} {cls.resource}:{action}", expected=f"角色 {roles}")


def _roles(*names: str) -> frozenset[str]:
    return frozenset(names)


_EVERYONE = _roles(*ROLES)
_STAFF = _roles("reviewer", "supervisor", "admin")


class PredictPolicy(Policy):
    """Single texts and small batches; `store` keeps them as items."""

    resource = "predict"
    actions: ClassVar = {"run": _EVERYONE, "store": _roles("pipeline", "reviewer", "supervisor", "admin")}


class CatalogPolicy(Policy):
    """Catalogs and their exports."""

    resource = "catalogs"
    actions: ClassVar = {
        "create": _roles("pipeline", "reviewer", "supervisor", "admin"),
        "read": _EVERYONE,
        "cancel": _roles("pipeline", "reviewer", "supervisor", "admin"),
        "reassess": _roles("supervisor", "admin"),
    }


class ItemPolicy(Policy):
    """Items and the review workflow."""

    resource = "items"
    actions: ClassVar = {
        "read": _EVERYONE,
        "initial": _STAFF,
        "refer": _STAFF,
        "expert": _roles("expert"),
        "conclusion": _roles("supervisor", "admin"),
        "appeal": _roles("supervisor", "admin"),
    }


class InstitutionPolicy(Policy):
    """The register of institutions."""

    resource = "institutions"
    actions: ClassVar = {"read": _EVERYONE, "write": _roles("pipeline", "supervisor", "admin")}


class AuditPolicy(Policy):
    """The audit trail."""

    resource = "audit"
    actions: ClassVar = {"read": _roles("supervisor", "admin")}


class AccessPolicy(Policy):
    """Accounts and API keys."""

    resource = "access"
    actions: ClassVar = {"manage": _roles("admin")}


class WebhookPolicy(Policy):
    """Webhooks."""

    resource = "webhooks"
    actions: ClassVar = {"manage": _roles("supervisor", "admin")}


POLICIES: dict[str, type[Policy]] = {
    policy.resource: policy
    for policy in (PredictPolicy, CatalogPolicy, ItemPolicy, InstitutionPolicy, AuditPolicy, AccessPolicy, WebhookPolicy)
}
SCOPES = tuple(POLICIES)
