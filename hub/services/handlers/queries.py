"""Pull and view between participants: a query to the mechanism registry, and its answer.

The hub records both and hands them on; it answers only what is asked of itself
(``answer_queries``). Who may see what, the mechanism registry's connector decides.
"""

from hub.checks.facts import MessageContext
from hub.services.batch_work import BatchWork
from hub.services.handlers.judging import judged
from message_schemas.envelopes import Outcome


def handle_handed_on(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a query to the mechanism registry, or an answer of it: it goes on to its addressee."""
    return judged(context, work, lambda: {"state": "forwarded"})
