"""What signs of poisoning mean for a tool: its risk says that it must not be used unseen. Pure.

A definition that speaks to the model works as soon as it is listed, whatever the tool itself would do:
so its risk is critical, however harmless a call of it looks. A sign may raise a risk and never lowers
one, and it leaves the category, which says what a call does, as it is. Until a person has looked, such a
definition is not shown to any model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from tipstaff.survey.model import Classification, Evidence, Risk, Sign

_HARMLESS = "same_name"
"""A name that another server has too says nothing against a tool."""
_LONG = "oversized_text"
"""A text that was read to its end, and that nothing else speaks against."""
_MILD = frozenset({_LONG, "duplicate_name", "lookalike_name"})
"""Kinds that an honest server may have by mistake: of these alone the risk is high."""
_RISKS = tuple(Risk)


def warnings(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """The signs that speak against a tool."""
    return tuple(sign for sign in signs if sign.kind != _HARMLESS)


def hiding(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """The signs for which a tool begins hidden: a model that reads its definition is what they are about.

    Names that are taken for others are among them: they do harm where a model, or a person, chooses from
    a list. A text that is merely too long is not: all of it was read, and honest servers have manuals.
    """
    return tuple(sign for sign in warnings(signs) if sign.kind != _LONG)


def raised(classification: Classification, signs: Sequence[Sign]) -> Classification:
    """The finding with the risk that the signs give it, and with what says so."""
    warnings_shown = warnings(signs)
    if not warnings_shown:
        return classification
    risk = Risk.HIGH if all(sign.kind in _MILD for sign in warnings_shown) else Risk.CRITICAL
    risk = max(classification.risk, risk, key=_RISKS.index)
    kinds = ", ".join(dict.fromkeys(sign.kind.replace("_", " ") for sign in warnings_shown))
    because = classification.rationale.rpartition(" Risk ")[0]
    evidence = (
        Evidence(
            sign.place.partition(",")[0], sign.excerpt, f"{risk}: {sign.kind.replace('_', ' ')}"
        )
        for sign in warnings_shown
    )
    return structs.replace(
        classification,
        risk=risk,
        evidence=(*evidence, *classification.evidence),
        rationale=f"{because} Risk {risk}: its definition has warning signs ({kinds}).".lstrip(),
    )
