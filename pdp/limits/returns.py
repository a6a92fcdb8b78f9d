"""Returns what calls have taken from limits. A store that fails keeps it, which is the safe side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from pdp.limits.budgets import Grant
from pdp.ports import StateStore


async def give_back(grants: Sequence[Grant], store: StateStore) -> bool:
    """Return budgets; with a store that fails they stay taken, which is the safe side."""
    return await _returned(grants, store.give_back)


async def release(grants: Sequence[Grant], store: StateStore) -> bool:
    """Return the leases of calls that have ended; with a store that fails, they lapse."""
    return await _returned([grant.leases for grant in grants if grant.leases], store.release)


async def _returned(
    grants: Sequence[Grant], way: Callable[[Sequence[Grant]], Awaitable[None]]
) -> bool:
    """Return each grant by itself, so that none keeps another back; whether all were returned."""
    returned = bool(grants)
    for grant in grants:
        try:
            await way([grant])
        except Exception:  # noqa: BLE001 - the store logs it; a budget that stays taken is safe
            returned = False
    return returned
