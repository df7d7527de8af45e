"""Errors that a user can act on: each message names the file or series, what was found and what was expected."""


class SpineMRIError(Exception):
    """Base of every error that spinemri raises on purpose; the command line prints it as one line and exits with 2."""


class InputError(SpineMRIError):
    """The folder or file cannot be used at all: empty, unreadable, no MR, two patients."""


class SeriesError(SpineMRIError):
    """One series cannot be loaded: geometry missing, slices irregular, pixel data truncated or not decodable."""


class GeometryError(SpineMRIError):
    """A voxel grid is impossible or two grids that must agree do not."""


class LevelError(SpineMRIError, ValueError):
    """A vertebral level name or an anchor given by the user makes no sense; pydantic tells it as any wrong value."""


class ModelError(SpineMRIError):
    """A model bundle is missing, incomplete, corrupt or does not accept the image."""


class OutputError(SpineMRIError):
    """The output folder exists already, or cannot be written."""


class ServerError(SpineMRIError):
    """A DICOMweb server cannot be reached, refuses, or does not answer as one."""


_SHOWN = 60


def quoted(text: str) -> str:
    """What a user typed, in quotation marks and spelled out, and no longer than a line: "'L5=x'"."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
