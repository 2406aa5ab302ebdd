"""The table of institutions."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, new_id, now


class Institution(Base):
    """An institution of the register. Fees in yuan; figures are None where the register does not give them."""

    __tablename__ = "institutions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200), index=True)
    credit_code: Mapped[str] = mapped_column(String(18), unique=True)
    district: Mapped[str] = mapped_column(String(6), index=True)
    licence_kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(24), index=True)
    fee_per_lesson: Mapped[float | None] = mapped_column(default=None)
    prepaid_total: Mapped[float | None] = mapped_column(default=None)
    staff_count: Mapped[int | None] = mapped_column(default=None)
    qualified_staff_count: Mapped[int | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
