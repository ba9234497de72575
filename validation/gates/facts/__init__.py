"""What a log is measured by: each module makes one measure of the open tables, as a frozen data class.

The rules of the log's gate and the import report read the same measures. They read the views ``items``, ``events`` and
``impressions`` of a DuckDB connection, and know neither rules nor pages.
"""
