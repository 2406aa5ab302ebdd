"""Writing assessments beside their items: many at once, and never twice."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from classifier import Assessment
from service.catalogs.models import Item, StoredAssessment
from service.database.base import now
from service.registry.service import conflicts
from service.reviews.states import state_after_assessment

_KEY = ["item_id", "engine", "jianke", "model", "rules", "policy"]


def keep_assessments(session: Session, engine: str, assessed: Sequence[tuple[int, str, Assessment]]) -> None:
    """Store assessments of items, each given as item id, status of its institution ("" if none) and assessment.

    An assessment under the same versions as a stored one takes its place; any other stands beside it. The item shows the
    latest. Items under review keep their state.
    """
    if not assessed:
        return
    moment = now()
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [
        {
            "item_id": item_id,
            "engine": engine,
            "jianke": assessment.versions.jianke,
            "model": assessment.versions.model,
            "rules": assessment.versions.rules,
            "policy": assessment.versions.policy,
            "payload": assessment,
            "created_at": moment,
        }
        for item_id, _, assessment in assessed
    ]
    statement = insert(StoredAssessment)
    upsert = statement.on_conflict_do_update(index_elements=_KEY, set_={"payload": statement.excluded.payload})
    stored = session.execute(upsert.returning(StoredAssessment.item_id, StoredAssessment.id), rows)
    identifiers = {row.item_id: row.id for row in stored}
    updates = []
    for item_id, status, assessment in assessed:
        conflict = conflicts(status, assessment.category)
        updates.append(
            {
                "id": item_id,
                "queue_state": "assessed",
                "category": assessment.category,
                "disguised": assessment.disguised.verdict,
                "triage": "review" if conflict else assessment.triage,
                "status_conflict": conflict,
                "assessment_id": identifiers[item_id],
                "assessed_at": moment,
            }
        )
    session.execute(update(Item), updates)
    for state in ("pending", "not_required"):
        wanted = [row["id"] for row in updates if state_after_assessment(str(row["triage"])) == state]
        if wanted:
            session.execute(
                update(Item).where(Item.id.in_(wanted), Item.review_state.in_(("", "pending", "not_required"))).values(review_state=state)
            )
