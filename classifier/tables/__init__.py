"""Tables in and out: XLSX, XLS, CSV, JSONL, Parquet; which column holds what."""

from classifier.tables.columns import Mapping, map_columns
from classifier.tables.reading import SUFFIXES_IN, Row, Table, read_table
from classifier.tables.writing import SUFFIXES_OUT, open_sink

__all__ = ["SUFFIXES_IN", "SUFFIXES_OUT", "Mapping", "Row", "Table", "map_columns", "open_sink", "read_table"]
