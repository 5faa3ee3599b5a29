"""The one tree of errors. Every message says what is wrong and what to do about it, on one line.

::

    LatentWorldError
    ├── GeometryError        numbers that name no place: not finite, collinear vertices, zero-length path
    │   └── WalkRefused      a kind of walk that cannot be walked here, or that another package's code broke
    ├── PluginError          a part from another package that is not there or cannot be used
    ├── PresetError          a preset, key or value that cannot be used (the nearest valid name is offered)
    ├── WorldError           a world that cannot be used
    │   ├── WorldMissing     nothing there, or no network to fetch it
    │   ├── WorldDamaged     a part missing or a weight file that cannot be read
    │   ├── UnknownFamily    a model of a kind that is not known here; the message says which
    │   ├── UnsafeWeights    pickled weights: only safetensors are read
    │   └── WorldMismatch    parts that do not fit each other (CLIP and world, latent size and vertices)
    ├── DecodeError          the model could not make pictures
    │   ├── OutOfMemory      even a batch of one does not fit
    │   ├── NotFinite        a network gave NaN or infinite numbers: no picture, or no features
    │   └── Cancelled        the watcher asked to stop
    ├── AtlasError           a survey that cannot be begun, read or written
    │   ├── AtlasDamaged     a store that is no atlas, lacks a part, or was written by a newer version
    │   ├── AtlasMismatch    other settings than it was begun with, or pictures and metadata that disagree
    │   ├── AtlasBusy        another process is writing it
    │   └── ClusterError     Ray is missing or out of reach
    ├── ShowError            a show that cannot be set up, or a part of it that is gone
    │   ├── ControlError     a control, message or snapshot that means nothing
    │   ├── StageError       no display, no such monitor, a window that cannot be had
    │   ├── PortError        a port in use, a device that is gone, a door that stays shut
    │   └── TakeError        a take that is damaged or was written by another version
    ├── BatchError           a list of jobs that names nothing that can be done, or a folder of another batch
    └── OutputError          pictures that cannot be kept
        ├── OutputExists     something is there already and --overwrite was not given
        ├── DiskFull         no space left; what was written so far plays
        └── EncoderFailed    ffmpeg is missing, refused its input or died
"""

from __future__ import annotations


class LatentWorldError(Exception):
    """Anything latentworld refuses or fails to do, with the remedy in its message."""


class GeometryError(LatentWorldError):
    """Numbers that name no place."""


class WalkRefused(GeometryError):
    """A kind of walk that cannot be walked: it could not be built, or broke on its way. kind: its name."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class PluginError(LatentWorldError):
    """A part from another package that is not there or cannot be used."""


class PresetError(LatentWorldError):
    """A preset, key or value that cannot be used."""


class EngineFailed(PresetError):
    """An engine could not be built: a compiler, a driver or a library failed."""


class WorldError(LatentWorldError):
    """A world that cannot be used."""


class WorldMissing(WorldError):
    """Nothing is there, or it cannot be fetched."""


class WorldDamaged(WorldError):
    """A part is missing or unreadable."""


class UnknownFamily(WorldError):
    """A model of a kind that is not known here."""


class UnsafeWeights(WorldError):
    """Pickled weights, which could run code when loaded."""


class WorldMismatch(WorldError):
    """Parts that do not fit each other."""


class DecodeError(LatentWorldError):
    """The model could not make pictures."""


class OutOfMemory(DecodeError):
    """Even a batch of one does not fit."""


class NotFinite(DecodeError):
    """A network gave NaN or infinite numbers."""


class Cancelled(DecodeError):
    """The watcher asked to stop."""


class AtlasError(LatentWorldError):
    """A survey that cannot be begun, read or written."""


class AtlasDamaged(AtlasError):
    """No atlas, a part of it is missing or unreadable, or a newer version wrote it."""


class AtlasMismatch(AtlasError):
    """Other settings than the atlas was begun with, or pictures and metadata that disagree."""


class AtlasBusy(AtlasError):
    """Another process is writing the atlas."""


class ClusterError(LatentWorldError):
    """Ray is missing or out of reach."""


class BatchError(LatentWorldError):
    """A list of jobs that cannot be worked off, or a folder that is another batch's."""


class OutputError(LatentWorldError):
    """Pictures that cannot be kept."""


class OutputExists(OutputError):
    """Something is there already."""


class DiskFull(OutputError):
    """No space is left on the device."""


class EncoderFailed(OutputError):
    """ffmpeg is missing, refused its input or died."""


class ShowError(LatentWorldError):
    """A show that cannot be set up, or a part of it that is gone."""


class ControlError(ShowError):
    """A control, message or snapshot that means nothing."""


class StageError(ShowError):
    """No display, no such monitor, a window that cannot be had."""


class PortError(ShowError):
    """A port in use, a device that is gone, a door that stays shut."""


class TakeError(ShowError):
    """A take that is damaged or was written by another version."""


class Notice(UserWarning):
    """Something goes otherwise than was asked, and the work goes on: one line that says what, and what can be done."""
