from .files_run import FilesProgress
from .finding import Found, find_images
from .places import IF_EXISTS
from .report import REPORT_NAME, FileEntry, Report, read_report
from .running import predict_files

__all__ = [
    "IF_EXISTS",
    "REPORT_NAME",
    "FileEntry",
    "FilesProgress",
    "Found",
    "Report",
    "find_images",
    "predict_files",
    "read_report",
]
