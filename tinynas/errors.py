"""One exception tree: each class says who is at fault, each message what to do about it.

The command line prints these as one sentence and exits with ``exit_status``; anything else that
escapes is a defect of tinynas itself.
"""

from __future__ import annotations


class TinynasError(Exception):
    """Something failed that a person can act on. The message is one clear sentence with a remedy."""

    #: what a shell sees: 1 it failed, 2 the request was wrong
    exit_status = 1
    #: the first word of the printed line: who is at fault
    culprit = "tinynas"


class RequestError(TinynasError):
    """The request cannot be met as asked: an unknown name, a malformed size, a budget nothing fits."""

    exit_status = 2
    culprit = "request"


class BoardError(RequestError):
    """A board is unknown or its description is wrong."""

    culprit = "board"


class DataError(TinynasError):
    """The pictures or labels are missing, corrupt or inconsistent."""

    exit_status = 2
    culprit = "data"


class ModelError(TinynasError):
    """A model file is missing, damaged or uses something unsupported."""

    exit_status = 2
    culprit = "model"


class RunError(TinynasError):
    """A run folder belongs to another request, is damaged, or cannot be written."""

    culprit = "run"


class VerificationError(TinynasError):
    """A result did not pass its own check; the result is withheld."""

    culprit = "verification"


class ToolchainError(TinynasError):
    """A compiler or another tool outside tinynas is missing, or fails."""

    culprit = "toolchain"


class DeploymentError(TinynasError):
    """A search is done and its result could not be put on a board; the result itself is safe."""

    culprit = "deployment"


class DeviceError(TinynasError):
    """The board, or the line to it, does not do what it should."""

    culprit = "device"


class PortError(DeviceError):
    """There is no port to use, several of them, or one that cannot be opened."""

    exit_status = 2
    culprit = "port"


class LinkError(DeviceError):
    """The board does not answer: silent, garbled or gone."""

    culprit = "link"


class FirmwareError(DeviceError):
    """Something else runs on the board than what is wanted of it."""

    culprit = "firmware"
