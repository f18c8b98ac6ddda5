"""Images that are cells of a table: Parquet and Arrow files as `datasets` of Hugging Face writes them."""

from privaudit.data.embedded.arrow_rows import read_arrow_rows
from privaudit.data.embedded.image_column import ImageColumn, find_image_column
from privaudit.data.embedded.parquet_cell import ParquetCell
from privaudit.data.embedded.parquet_rows import read_parquet_rows
from privaudit.data.embedded.table_row import TableRow

__all__ = [
    "ImageColumn",
    "ParquetCell",
    "TableRow",
    "find_image_column",
    "read_arrow_rows",
    "read_parquet_rows",
]
