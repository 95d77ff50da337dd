"""The deed by which the log goes on although a witness knows more of it than this database.

A hub restored from an old backup has lost its tail. What is gone stays gone: the act says up to
which size that was accepted, for everybody to read. ``log_standing`` says what follows from it.
"""

from hub.services import log_standing
from hub.services.administration.deeds import AdministrationError, Deed, is_line, require_same
from hub.services.administration.doing import Doing

ORIGIN_CHARACTERS_MAX = 200


def accept_loss(origin: str, up_to: int) -> Deed:
    """Accept that the tail of the log ``origin`` is lost, of trees of up to ``up_to`` entries."""
    if up_to < 1:
        raise AdministrationError("--up-to is the size of a tree: 1 or more")
    if not is_line(origin, ORIGIN_CHARACTERS_MAX):
        raise AdministrationError("the log's origin is one line of at most 200 characters")
    return Deed(log_standing.LOSS_ACCEPTED, origin, {"up_to": up_to})


def do_accept_loss(doing: Doing, deed: Deed) -> None:
    """Accept the loss of a log that is halted: the act itself is all of it."""
    require_same(accept_loss(deed.subject, deed.parameters["up_to"]), deed)
    if log_standing.read(doing.connection).halted is None:
        raise AdministrationError("the log is not halted: there is nothing to accept")
