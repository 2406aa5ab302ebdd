"""Settings, read from the environment (`JIANKE_…`) or a `.env` file; unsafe values are refused outside development."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ServiceError

DEFAULT_SECRET = "change-me"
_DATABASES = ("sqlite://", "postgresql://")


class Settings(BaseSettings):
    """Everything that differs between installations. Every field is described in README.md."""

    model_config = SettingsConfigDict(env_prefix="JIANKE_", env_file=".env", extra="ignore", frozen=True)

    environment: Literal["development", "production"] = "production"
    secret_key: str = DEFAULT_SECRET
    database_url: str = "sqlite:///jianke.sqlite3"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)

    model: Path | None = None
    rules: Path | None = None
    engine: Literal["auto", "fast", "encoder"] = "auto"
    workers: int = Field(1, ge=0, le=64)
    worker_batch: int = Field(256, ge=1, le=10_000)

    temp_dir: Path | None = None

    max_body_bytes: int = Field(64 * 2**20, ge=1024)
    max_unpacked_bytes: int = Field(512 * 2**20, ge=1024)
    max_rows: int = Field(200_000, ge=1)
    max_batch: int = Field(1000, ge=1)
    max_text: int = Field(20_000, ge=100)
    rate_per_minute: int = Field(6000, ge=1)

    session_hours: float = Field(12, gt=0)
    cookie_secure: bool = True
    lockout_attempts: int = Field(5, ge=1)
    lockout_minutes: float = Field(15, gt=0)
    key_cache_seconds: float = Field(5, ge=0)
    idempotency_hours: float = Field(24, gt=0)

    expert_panel: int = Field(3, ge=1)
    expert_majority: int = Field(2, ge=1)

    webhook_hosts: tuple[str, ...] = ()
    webhook_allow_private: bool = False
    webhook_attempts: int = Field(8, ge=1)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(_DATABASES):
            raise ServiceError("E400", name="JIANKE_DATABASE_URL", found=value.partition(":")[0], expected=" 或 ".join(_DATABASES) + "…")
        return value

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.environment == "production" and (self.secret_key == DEFAULT_SECRET or len(self.secret_key) < 32):
            raise ServiceError("E401", found="默认值 the default" if self.secret_key == DEFAULT_SECRET else f"{len(self.secret_key)}")
        if self.expert_majority > self.expert_panel or 2 * self.expert_majority <= self.expert_panel:
            raise ServiceError("E402", found=f"{self.expert_majority}/{self.expert_panel}")
        return self
