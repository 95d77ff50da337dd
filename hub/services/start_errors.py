"""Why a hub does not start: one sentence that names the setting and the remedy."""


class StartError(Exception):
    """The hub cannot start like this; the message says what to do."""
