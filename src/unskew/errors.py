"""The one exception that a user is meant to see."""


class UserError(Exception):
    """Something the user can mend.

    The message is one sentence (or two) that names the file, option or value at fault and says
    how to mend it. The command line prints it without a traceback and exits with code 2; from
    Python it is raised as it is.
    """


class MissingExtraError(UserError):
    """An optional dependency is needed and not installed.

    Parameters
    ----------
    package: name of the missing package as pip knows it.
    extra: the extra of unskew that brings it.
    purpose: what it is needed for, as the end of "... is needed to ...".
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{package} is needed to {purpose} and is not installed: "
            f"run  pip install 'unskew[{extra}]'"
        )
