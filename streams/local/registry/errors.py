"""What the registry refuses, with the codes and words of Confluent's REST interface."""

from __future__ import annotations


class RegistryRefusal(Exception):
    """A request that the registry does not carry out. `status` is of HTTP, `code` is Confluent's error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def subject_not_found(subject: str) -> RegistryRefusal:
    """No schema was ever registered under the subject, or it was deleted."""
    return RegistryRefusal(404, 40401, f"Subject '{subject}' not found.")


def version_not_found(version: int) -> RegistryRefusal:
    """The subject has no such version."""
    return RegistryRefusal(404, 40402, f"Version {version} not found.")


def schema_not_found(what: str) -> RegistryRefusal:
    """No schema has this id or GUID, or the text is not registered under the subject."""
    return RegistryRefusal(404, 40403, f"Schema {what} not found")


def subject_not_soft_deleted(subject: str) -> RegistryRefusal:
    """A permanent deletion must follow an ordinary one."""
    return RegistryRefusal(
        404, 40405, f"Subject '{subject}' was not deleted first before being permanently deleted"
    )


def level_not_configured(subject: str) -> RegistryRefusal:
    """The subject has no compatibility level of its own."""
    return RegistryRefusal(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")


def invalid_schema(reason: str) -> RegistryRefusal:
    """The text is no Avro schema that we work with."""
    return RegistryRefusal(422, 42201, f"Invalid schema: {reason}")


def invalid_version(text: str) -> RegistryRefusal:
    """A version in a path that is neither a positive number nor `latest`."""
    return RegistryRefusal(
        422,
        42202,
        f"The specified version '{text}' is not a valid version id. "
        'Allowed values are between [1, 2^31-1] and the string "latest"',
    )


def invalid_level(level: str, allowed: tuple[str, ...]) -> RegistryRefusal:
    """A compatibility level that does not exist."""
    return RegistryRefusal(
        422, 42203, f"Invalid compatibility level {level!r}. Valid values are {', '.join(allowed)}"
    )


def malformed_body(reason: str) -> RegistryRefusal:
    """A request body that is not the JSON that the operation needs."""
    return RegistryRefusal(422, 422, f"Malformed request: {reason}")


def incompatible(subject: str, level: str, reasons: list[str]) -> RegistryRefusal:
    """The schema breaks the subject's compatibility level."""
    return RegistryRefusal(
        409,
        409,
        f'Schema being registered is incompatible with an earlier schema for subject "{subject}", '
        f"compatibility {level}: {'; '.join(reasons)}",
    )
