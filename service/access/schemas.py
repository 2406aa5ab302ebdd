"""What accounts, keys and logins look like to callers; secrets appear once, when they are made."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

RoleName = Literal["pipeline", "reviewer", "expert", "supervisor", "admin"]
ScopeName = Literal["predict", "catalogs", "items", "institutions", "audit", "access", "webhooks"]
District = Annotated[
    str, Field(pattern=r"^(\d{2}|\d{4}|\d{6})?$", description="行政区划代码的前 2、4 或 6 位；空为全部", examples=["330702"])
]
Password = Annotated[str, Field(min_length=12, max_length=200)]


class LoginIn(BaseModel):
    """Name and password."""

    name: str = Field(max_length=64, pattern=r"^[^\x00]*$")
    password: str = Field(max_length=200)


class LoginOut(BaseModel):
    """Who is logged in. `csrf_token` goes into X-CSRF-Token with every change."""

    name: str
    role: RoleName
    district: str
    csrf_token: str


class AccountIn(BaseModel):
    """A new account."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$", examples=["wang.li"])
    display_name: str = Field("", max_length=64, pattern=r"^[^\x00]*$", examples=["王丽"])
    role: RoleName
    district: District = ""
    password: Password


class AccountChange(BaseModel):
    """What to change; fields left out stay."""

    display_name: str | None = Field(None, max_length=64, pattern=r"^[^\x00]*$")
    role: RoleName | None = None
    district: District | None = None
    password: Password | None = None
    disabled: bool | None = None
    unlock: bool = False


class AccountOut(BaseModel):
    """An account, without its password."""

    id: str
    name: str
    display_name: str
    role: RoleName
    district: str
    disabled: bool
    locked_until: datetime | None
    created_at: datetime


class KeyIn(BaseModel):
    """A new API key. `scopes`: the resources it may use, within what its role may."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$", examples=["婺城区机构登记系统"])
    role: RoleName = "pipeline"
    scopes: list[ScopeName] = Field(min_length=1, examples=[["predict", "catalogs"]])
    district: District = ""


class KeyOut(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    role: RoleName
    scopes: list[ScopeName]
    district: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    """A key that has just been made; `key` is shown this once."""

    key: str
