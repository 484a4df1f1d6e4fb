"""What the registry knows: schemas with global ids, subjects with versions, compatibility levels.

As with Confluent the same schema has the same id under every subject, and a version number is never used again.
The GUID is derived from the schema, so that it is the same in every registry of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from streams.local.registry import errors
from streams.local.registry.identity import canonical, guid_of
from streams.local.registry.journal import Journal

LEVELS = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)
DEFAULT_LEVEL = "BACKWARD"
LATEST = -1
MAX_VERSIONS = 10_000
"""Versions one registry holds: it is for one machine, and all of them are in memory."""

Check = Callable[[str, Sequence[str], str], list[str]]
"""(new schema, earlier ones with the oldest first, level) -> why they are not compatible; empty: they are."""


@dataclass(frozen=True, slots=True)
class Version:
    """One schema as one version of one subject."""

    subject: str
    number: int
    schema_id: int
    guid: UUID
    schema: str
    deleted: bool = False


class SchemaStore:
    """All of it in memory, every change in the journal first."""

    def __init__(self, journal: Journal, check: Check) -> None:
        self._journal = journal
        self._check = check
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._subjects: dict[str, list[Version]] = {}
        self._numbers: dict[str, int] = {}
        self._levels: dict[str, str] = {}
        self._global_level = DEFAULT_LEVEL
        for entry in journal.entries():
            self._apply(entry)

    def register(self, subject: str, schema: str) -> Version:
        """The version of the subject that has this schema, made when there is none. Raises RegistryRefusal."""
        key = canonical(schema)
        present = self._find(subject, key)
        if present is not None:
            return present
        reasons = self.incompatibilities(subject, schema, self._live(subject))
        if reasons:
            raise errors.incompatible(subject, self.level(subject), reasons)
        if sum(map(len, self._subjects.values())) >= MAX_VERSIONS:
            raise errors.RegistryRefusal(507, 50701, f"this local registry holds at most {MAX_VERSIONS} versions")
        schema_id = self._ids.get(key, len(self._texts) + 1)
        number = self._numbers.get(subject, 0) + 1
        self._change(
            {"change": "register", "subject": subject, "version": number, "id": schema_id, "schema": schema}
        )
        return self._subjects[subject][-1]

    def lookup(self, subject: str, schema: str) -> Version:
        """The version of the subject that has this schema. Raises RegistryRefusal 40401 or 40403."""
        self.versions(subject)
        found = self._find(subject, canonical(schema))
        if found is None:
            raise errors.schema_not_found("")
        return found

    def by_id(self, schema_id: int) -> str:
        """The schema's text. Raises RegistryRefusal 40403."""
        if schema_id not in self._texts:
            raise errors.schema_not_found(str(schema_id))
        return self._texts[schema_id]

    def by_guid(self, guid: UUID) -> tuple[int, str]:
        """The schema's id and text. Raises RegistryRefusal 40403."""
        for schema_id, text in self._texts.items():
            if guid_of(text) == guid:
                return schema_id, text
        raise errors.schema_not_found(str(guid))

    def uses(self, schema_id: int) -> list[Version]:
        """The versions that have this schema. Raises RegistryRefusal 40403."""
        self.by_id(schema_id)
        return [each for subject in self._subjects for each in self._live(subject) if each.schema_id == schema_id]

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """The names of the subjects, sorted; with `deleted` also of those whose versions are all deleted."""
        return sorted(name for name, all_versions in self._subjects.items() if deleted or self._live(name))

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """The subject's versions, oldest first. Raises RegistryRefusal 40401."""
        found = self._subjects.get(subject, []) if deleted else self._live(subject)
        if not found:
            raise errors.subject_not_found(subject)
        return list(found)

    def version(self, subject: str, number: int) -> Version:
        """One version, or with LATEST the newest. Raises RegistryRefusal 40401 or 40402."""
        found = self.versions(subject)
        if number == LATEST:
            return found[-1]
        for each in found:
            if each.number == number:
                return each
        raise errors.version_not_found(number)

    def delete(self, subject: str, number: int | None = None) -> list[int]:
        """Hide a version, or all of them; ids stay readable. The numbers hidden. Raises RegistryRefusal."""
        chosen = self.versions(subject) if number is None else [self.version(subject, number)]
        for each in chosen:
            self._change({"change": "delete", "subject": subject, "version": each.number})
        return [each.number for each in chosen]

    def purge(self, subject: str) -> list[int]:
        """Forget a subject whose versions are all hidden. Raises RegistryRefusal 40401 or 40405."""
        if self._live(subject):
            raise errors.subject_not_soft_deleted(subject)
        numbers = [each.number for each in self.versions(subject, deleted=True)]
        self._change({"change": "purge", "subject": subject})
        return numbers

    def level(self, subject: str | None = None) -> str:
        """The compatibility level in force for the subject, without one the global level."""
        return self._global_level if subject is None else self._levels.get(subject, self._global_level)

    def own_level(self, subject: str) -> str:
        """The level set for this very subject. Raises RegistryRefusal 40408."""
        if subject not in self._levels:
            raise errors.level_not_configured(subject)
        return self._levels[subject]

    def set_level(self, subject: str | None, level: str | None) -> None:
        """Set a level; None takes the subject's own away. Raises RegistryRefusal 42203 or 40408."""
        if level is not None and level not in LEVELS:
            raise errors.invalid_level(level, LEVELS)
        if level is None and subject is not None:
            self.own_level(subject)
        self._change({"change": "level", "subject": subject, "level": level})

    def incompatibilities(self, subject: str, schema: str, earlier: Sequence[Version]) -> list[str]:
        """Why the schema breaks the subject's level against these versions. Raises RegistryRefusal 42201."""
        canonical(schema)
        level = self.level(subject)
        if level == "NONE" or not earlier:
            return []
        return self._check(schema, [each.schema for each in earlier], level)

    def _live(self, subject: str) -> list[Version]:
        return [each for each in self._subjects.get(subject, []) if not each.deleted]

    def _find(self, subject: str, key: str) -> Version | None:
        return next((each for each in self._live(subject) if canonical(each.schema) == key), None)

    def _change(self, entry: dict[str, Any]) -> None:
        self._journal.append(entry)
        self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        subject = entry["subject"]
        match entry["change"]:
            case "register":
                text, number, schema_id = entry["schema"], entry["version"], entry["id"]
                self._texts.setdefault(schema_id, text)
                self._ids.setdefault(canonical(text), schema_id)
                self._numbers[subject] = number
                made = Version(subject, number, schema_id, guid_of(text), text)
                self._subjects.setdefault(subject, []).append(made)
            case "delete":
                self._subjects[subject] = [
                    replace(each, deleted=True) if each.number == entry["version"] else each
                    for each in self._subjects[subject]
                ]
            case "purge":
                del self._subjects[subject]
            case "level" if subject is None:
                self._global_level = entry["level"] or DEFAULT_LEVEL
            case "level" if entry["level"] is None:
                del self._levels[subject]
            case "level":
                self._levels[subject] = entry["level"]
