"""RunComfy's descriptions of models, beside the jobs: what one machine bought by one of them, all are to know again."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ..clip_urls import canonical_base
from .tables import descriptions
from .transactions import Transactions


class Descriptions:
    """What RunComfy said of its models, in the journal's database.

    Args:
        database: The journal's.
        api_base: The address of the API: each has its own models.
    """

    def __init__(self, database: Transactions, *, api_base: str) -> None:
        self._database = database
        self._api_base = canonical_base(api_base)

    def of(self, model_id: str) -> dict[str, str]:
        """Every description of a model that any machine has gone by: JSON, by the hash of its schema.

        Raises:
            JournalUnavailableError: The journal cannot be read.
        """
        with self._database.reading() as connection:
            return self._known(connection, model_id)

    def keep(self, model_id: str, documents: dict[str, str]) -> None:
        """Add descriptions of a model; those that are there already stay as they are.

        Raises:
            JournalUnavailableError: The journal cannot be written.
        """
        if documents.keys() <= self.of(model_id).keys():
            return
        with self._database.writing() as connection:
            for schema_hash in documents.keys() - self._known(connection, model_id).keys():
                key = {"api_base": self._api_base, "model_id": model_id, "schema_hash": schema_hash}
                connection.execute(descriptions.insert().values(**key, document=documents[schema_hash]))

    def _known(self, connection: Connection, model_id: str) -> dict[str, str]:
        wanted = select(descriptions.c.schema_hash, descriptions.c.document).where(
            descriptions.c.api_base == self._api_base, descriptions.c.model_id == model_id
        )
        return {row.schema_hash: row.document for row in connection.execute(wanted)}
